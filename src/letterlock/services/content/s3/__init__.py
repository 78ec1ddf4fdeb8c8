"""Blobs in an S3 bucket: `store.S3Blobs`. Reading is obstore's; writes are our own signed requests, see `requests`."""
