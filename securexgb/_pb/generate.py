"""Generates the protobuf and gRPC stubs of this package from proto/.

    python -m securexgb._pb.generate [DIRECTORY]

needs grpcio-tools 1.72, whose stubs run under protobuf 6.30 to 7. The stubs are
committed; tests/channel/test_stubs.py compares them with what this makes.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

PACKAGE = "securexgb/_pb"
SOURCES = Path(__file__).resolve().parents[2] / "proto" / "securexgb" / "v1"


def generate(target: Path) -> list[Path]:
    """Write the stubs of every file in proto/securexgb/v1 into ``target``; their paths."""
    if not version("grpcio-tools").startswith("1.72."):
        raise SystemExit("the stubs are made with grpcio-tools 1.72; another version is here")
    from grpc_tools import protoc  # noqa: PLC0415  a tool of developers only

    sources = sorted(SOURCES.glob("*.proto"))
    services = [path for path in sources if "\nservice " in path.read_text()]
    # The virtual path makes the stubs import each other from this package.
    command = ["protoc", f"-I{PACKAGE}={SOURCES}", f"--python_out={target}", f"--pyi_out={target}"]
    made = protoc.main([*command, *(f"{PACKAGE}/{path.name}" for path in sources)])
    command = ["protoc", f"-I{PACKAGE}={SOURCES}", f"--grpc_python_out={target}"]
    made |= protoc.main([*command, *(f"{PACKAGE}/{path.name}" for path in services)])
    if made != 0:
        raise SystemExit("protoc failed")
    nested = target / PACKAGE
    written = [path.replace(target / path.name) for path in sorted(nested.iterdir())]
    nested.rmdir()
    nested.parent.rmdir()
    return written


if __name__ == "__main__":
    for path in generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent):
        sys.stdout.write(f"{path}\n")
