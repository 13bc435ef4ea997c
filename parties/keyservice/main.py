"""The key service: ``python main.py keyservice serve``, by its keyservice.toml."""

import sys

from securexgb.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["keyservice", "serve"]))
