"""Messaging with the names of Apple's TelephonyMessagingKit, over `letterlock.client` (docs/telephony.md)."""
