"""RCS through a gateway: a service keeps the registration with the carrier, and this device a WebSocket with it."""
