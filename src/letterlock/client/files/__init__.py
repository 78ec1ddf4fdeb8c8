"""Files of a profile: sealed on this device, on their way, in the cache, read in parts.

`transfer.Transfer` and `reader.FileReader` are what a program holds; `transfers.Transfers` moves them.
"""
