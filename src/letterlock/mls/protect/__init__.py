"""Message framing (RFC 9420 section 6): sign and verify content, and put it into a PublicMessage or PrivateMessage."""
