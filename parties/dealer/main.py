"""The dealer's process: ``python main.py [party.toml]``; see party.toml beside it."""

import sys
from pathlib import Path

from securexgb.dealer.server import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "party.toml")))
