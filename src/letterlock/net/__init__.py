"""What the edges of clients and of services share about the network."""
