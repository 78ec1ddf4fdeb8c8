"""Sans-I/O SIP for messaging: digest, transactions, registration, pager messages, dialogs, sessions, subscriptions.

Bytes and events in, bytes and events out; `now` and `rng` are parameters and deadlines are asked for.
Clients and application servers combine the parts by `user_agent.UserAgent`, one for each connection, and
`dialog_layer.DialogLayer` above them. A proxy (`letterlock.carrier`) takes `codec.sip.StreamParser`, `transaction`,
`digest_server` and `message` and routes by itself.
"""
