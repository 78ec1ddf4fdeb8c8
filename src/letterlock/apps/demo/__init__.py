"""The demo: the network side and phones on this machine. `talk` is told in the terminal, the page is looked at."""

__all__: list[str] = []
