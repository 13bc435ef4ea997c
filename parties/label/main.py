"""The label party: ``python main.py train`` (check, predict, evaluate), by its party.toml."""

import sys

from securexgb.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["train"]))
