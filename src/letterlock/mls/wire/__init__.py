"""MLS structures: bytes to frozen values and back, with the field names of RFC 9420 and no meaning.

Every structure has `encode()` and a class method `read(reader)`; those that stand alone have `decode(data)`,
which refuses trailing bytes. What does not follow the grammar is a DecodeError; what the protocol forbids
although it is well-formed (a duplicate extension, a forged signature) is for the modules above.

No structure nests in itself, so nothing here recurses, and reading costs time and memory in proportion
to the input. Structures that are signed or hashed keep the bytes they were read from, `encoded`.
"""
