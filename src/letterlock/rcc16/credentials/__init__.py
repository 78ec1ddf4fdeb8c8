"""X.509 certificates of RCC.16: their profile, their proofs, how they are judged and made."""
