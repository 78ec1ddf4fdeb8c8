"""Messaging Layer Security (RFC 9420), pure and synchronous, on the crypto provider.

Where things are: `group` is a member's view of a group and `public_group` the view of a server that holds
no secret; `key_packages` keeps what a client publishes so that others can add it; `policy` holds every
limit and choice; `authentication` is where the application judges credentials.
Below them: `tree` (ratchet tree), `schedule` (keys), `protect` (message framing), `wire` (bytes),
`suites` (algorithms), `rules` (the numbered checks). Import from those modules; nothing is imported here,
so that `letterlock.mls.public_group` comes without the secret half.
"""
