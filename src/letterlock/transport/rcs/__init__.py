"""RCS over SIP and MSRP: `transport.RcsTransport` is what a client makes; beside it one file for each part of it."""
