"""On what machine, with which versions? One JSON line; no name of it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import loopback

from securexgb import _kernels

LIBRARIES = ("numpy", "grpcio", "cryptography", "phe", "gmpy2", "tenseal", "xgboost")


def described() -> dict[str, object]:
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpu if "model name" in line), "unknown")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "question": "machine",
        "processor": model,
        "cores": os.cpu_count(),
        "instruction_sets": _kernels.simd_paths(),
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
