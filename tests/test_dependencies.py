"""What an installation brings has licences that are on the list, and stands on its page."""

from __future__ import annotations

import re
import tomllib
from email.message import Message
from importlib.metadata import Distribution

import pytest

from tests.dependencies import DOCS, PAGE, Package, licence_of, packages

INSTALLED = packages()
PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("package", INSTALLED, ids=lambda package: package.name)
def test_its_licence_is_on_the_list(package: Package) -> None:
    assert package.is_allowed, f"{package.name}: {package.licence} is not on the list"


def test_every_package_has_its_line() -> None:
    lines = re.findall(r"^\| ([a-z0-9-]+) \| [\d.a-z]+ \| ", PAGE.read_text(), re.MULTILINE)
    assert {package.name for package in INSTALLED} <= set(lines), "run python -m tests.dependencies"


def test_every_direct_dependency_is_explained() -> None:
    page = PAGE.read_text().split("<!-- installed -->")[0]
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *(line for more in extras.values() for line in more)]:
        name = re.split(r"[\[<>=!~]", text, maxsplit=1)[0]
        assert name == "securexgb" or name in page, name


def test_a_bare_installation_brings_no_xgboost() -> None:
    bare = {package.name for package in INSTALLED if not package.extra}
    assert not bare & {"xgboost", "nvidia-nccl-cu12", "phe", "gmpy2", "tenseal"}
    assert {"numpy", "scikit-learn", "cryptography", "scipy", "pydantic-core"} <= bare


class Stub(Distribution):
    def __init__(self, **fields: str) -> None:
        self.fields = Message()
        for name, value in fields.items():
            self.fields[name.replace("_", "-")] = value

    @property
    def metadata(self) -> Message:  # type: ignore[override]
        return self.fields

    def read_text(self, filename: str) -> None:
        return None

    def locate_file(self, path: object) -> None:  # type: ignore[override]
        return None


@pytest.mark.parametrize(
    ("fields", "licence", "is_allowed"),
    [
        ({"License_Expression": "MIT OR GPL-3.0"}, "MIT OR GPL-3.0", True),
        ({"License_Expression": "MIT AND GPL-3.0"}, "MIT AND GPL-3.0", False),
        ({"License": "GPLv3"}, "GPL-3.0", False),
        ({"License": "Beware\nof it", "Classifier": "License :: OSI Approved :: BSD License"},
         "BSD", True),
        ({}, "not stated", False),
    ],
)  # fmt: skip
def test_licences_are_read_as_they_are_meant(
    fields: dict[str, str], licence: str, is_allowed: bool
) -> None:
    found = licence_of(Stub(**fields))
    assert found == licence
    assert Package("some", "1", found, 0.0, "").is_allowed is is_allowed
