"""MSRP over TCP and TLS: asyncio around `letterlock.msrp`."""
