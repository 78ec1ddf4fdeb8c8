"""The bytes of RCC.16: authenticated data, payloads, receipts, control messages, extensions."""
