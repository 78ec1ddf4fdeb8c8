"""Sans-I/O SIP for messaging: digest, transactions, registration, pager messages, capabilities.

Bytes and events in, bytes and events out; `now` and `rng` are parameters and deadlines are asked for.
A client combines the parts by `user_agent.UserAgent`. A server (`letterlock.carrier`) takes
`codec.sip.StreamParser`, `transaction`, `digest_server` and `message` and routes by itself.
"""
