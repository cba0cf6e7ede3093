"""`python -m mu COMMAND ...`."""

import sys

from mu.cli import main

if __name__ == "__main__":
    sys.exit(main())
