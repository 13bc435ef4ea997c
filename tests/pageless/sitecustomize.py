"""For processes of tests: as if the extra for pages, which take two seconds, were not there."""

import sys

for name in ("matplotlib", "jinja2"):
    sys.modules[name] = None  # type: ignore[assignment]
