"""SMS over SMPP 3.4: a transport that a message reaches by its user's choice alone (SR-01, docs/sms.md)."""
