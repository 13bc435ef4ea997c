"""On what machine, with which versions? One JSON line; no name of it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys

import loopback

LIBRARIES = ("numpy", "grpcio", "cryptography", "phe", "gmpy2", "tenseal", "xgboost")


def described() -> dict[str, object]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "question": "machine",
        "processor": loopback.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    sys.stdout.write(loopback.stamped(described()))
