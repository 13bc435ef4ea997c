"""``python -m securexgb`` is the ``securexgb`` command."""

from securexgb.cli.app import run

run()
