"""``python -m securexgb`` is the ``securexgb`` command."""

import sys

from securexgb.cli.app import main

sys.exit(main())
