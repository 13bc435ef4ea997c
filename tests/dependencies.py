"""Every package that an installation brings: its size, its licence, and who asked for it.

From the metadata of what is installed, without a network. ``python -m tests.dependencies`` writes
the table of ``docs/dependencies.md``; the test compares names and licences, since versions and
sizes differ from machine to machine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

from securexgb.report.protocols import markdown
from tests.generate_tables import DOCS

PAGE = DOCS / "dependencies.md"
PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0",
    "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
"""Licences of which nothing follows for whoever passes an installation on but to name them."""
ALLOWED = {
    "": PERMISSIVE,
    "paillier": PERMISSIVE | {"GPL-3.0", "LGPL-3.0-or-later"},
    "ckks": PERMISSIVE,
    "oracle": PERMISSIVE | {"LicenseRef-NVIDIA-Proprietary"},
    "report": PERMISSIVE,
    "serve": PERMISSIVE,
    "cluster": PERMISSIVE,
    "test": PERMISSIVE | {"MPL-2.0", "ZPL-2.1"},
    "dev": PERMISSIVE | {"MPL-2.0", "ZPL-2.1"},
}
"""By extra ("" is a bare installation): which licences its packages may have."""
_NAMES = {
    "3-Clause BSD License": "BSD-3-Clause", "Apache": "Apache-2.0", "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "Apache Software License 2.0": "Apache-2.0", "LGPL-3.0+": "LGPL-3.0-or-later",
    "BSD 2-Clause License": "BSD-2-Clause", "BSD License": "BSD",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GPLv3": "GPL-3.0", "ISC License": "ISC", "ISC License (ISCL)": "ISC", "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}  # fmt: skip
"""What packages call their licence, and its short name."""
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Package:
    """One installed package; ``megabytes`` are those of its files."""

    name: str
    version: str
    licence: str
    megabytes: float
    extra: str

    @property
    def is_allowed(self) -> bool:
        """Whether the licence, or each part of it, is on the list of its extra."""
        allowed = ALLOWED[self.extra]
        return all(
            any(choice.strip(" ()") in allowed for choice in part.split(" OR "))
            for part in self.licence.split(" AND ")
        )


def packages() -> list[Package]:
    """What is installed for securexgb; a package counts for the first extra that brings it."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    asked = {"": project["dependencies"], **project["optional-dependencies"]}
    found: dict[str, Package] = {}
    for extra in ALLOWED:
        for name, installed in _closure(asked[extra]):
            if name not in found:
                found[name] = _package(name, installed, extra)
    order = list(ALLOWED)
    return sorted(found.values(), key=lambda one: (order.index(one.extra), one.name))


def licence_of(installed: Distribution) -> str:
    """The short name of its licence: an expression where there is one, else what it is called."""
    about = installed.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    called = str(about.get("License") or "")
    if called and len(called) < _LONGEST_NAME and "\n" not in called:
        return _NAMES.get(called, called)
    classifiers = [
        text.rsplit(" :: ", 1)[-1]
        for text in about.get_all("Classifier") or ()
        if text.startswith("License :: OSI Approved ::")
    ]
    return " OR ".join(_NAMES.get(text, text) for text in classifiers) or "not stated"


def _package(name: str, installed: Distribution, extra: str) -> Package:
    size = sum(file.size or 0 for file in installed.files or ())
    return Package(name, installed.version, licence_of(installed), size / 1e6, extra)


def _closure(requirements: Iterable[str]) -> Iterator[tuple[str, Distribution]]:
    """All that these bring, as far as it is installed."""
    waiting, seen = [(text, "") for text in requirements], set()
    while waiting:
        text, extra = waiting.pop()
        wanted = Requirement(text)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        if name == "securexgb" or (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform
        yield name, installed
        for more in ("", *wanted.extras):
            waiting += [(required, more) for required in installed.requires or ()]


def table() -> str:
    """All packages, a line each, and the sum of every extra."""
    every = packages()
    names = {"": "(always)"}
    rows = [
        {
            "package": one.name,
            "version": one.version,
            "licence": one.licence,
            "MB": f"{one.megabytes:.1f}",
            "extra": names.get(one.extra, one.extra),
        }
        for one in every
    ]
    sums = [
        {
            "extra": names.get(extra, extra),
            "packages": str(sum(one.extra == extra for one in every)),
            "MB": f"{sum(one.megabytes for one in every if one.extra == extra):.0f}",
        }
        for extra in ALLOWED
    ]
    return f"{markdown(sums)}\n\n{markdown(rows)}"


def main() -> None:
    """Write the table into its page."""
    text, made = PAGE.read_text(), table()
    pattern = r"(<!-- installed -->\n).*?(<!-- end -->)"
    PAGE.write_text(re.sub(pattern, lambda m: f"{m[1]}\n{made}\n{m[2]}", text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
