"""Primitives behind one interface: `provider.CryptoProvider`; `pyca` is the implementation for desktops and servers."""
