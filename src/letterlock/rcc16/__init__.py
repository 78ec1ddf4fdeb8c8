"""GSMA RCC.16: the end-to-end encryption of RCS, on MLS. Built to recorded bytes (docs/rcc16.md); pure."""
