"""Files that are encrypted as they stream (docs/spec/files.md): what a chat that goes by `signal` sends and receives."""
