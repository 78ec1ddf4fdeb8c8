"""Encrypted groups: what members may do, what the log leads to, and what is posted to whom."""
