"""``python -m dcsim`` is the command ``dcsim``."""

from dcsim.cli import main

if __name__ == "__main__":
    main()
