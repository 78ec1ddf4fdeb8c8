"""Files by HTTP: `client.ContentClient` uploads and downloads, and goes on where another process stopped."""
