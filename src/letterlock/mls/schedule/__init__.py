"""The keys of one epoch (RFC 9420 sections 8 and 9): key schedule, transcript hashes, pre-shared keys, secret tree."""
