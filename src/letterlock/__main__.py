"""`python -m letterlock` is the command line."""

from .apps.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
