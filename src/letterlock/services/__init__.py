"""The network side: services that an operator runs. They hold no user's private key and no plaintext (SR-17)."""
