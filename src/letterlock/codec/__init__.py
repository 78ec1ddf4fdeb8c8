"""Bytes to frozen values and back, without meaning. Every decoder raises DecodeError or LimitExceeded and nothing else (SR-09)."""
