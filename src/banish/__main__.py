"""``python -m banish``."""

import sys

from banish.cli import main

if __name__ == "__main__":
    sys.exit(main())
