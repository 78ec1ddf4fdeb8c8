"""One member's side of an RCC.16 conversation: its MLS groups, what is sent and read, what is repaired."""
