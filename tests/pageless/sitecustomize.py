"""For processes of tests: as if the extra for pages, which take two seconds, were not there."""

import sys

HIDDEN = ("matplotlib", "jinja2")

for name in HIDDEN:
    sys.modules[name] = None  # type: ignore[assignment]
