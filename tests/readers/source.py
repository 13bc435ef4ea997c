"""The places themselves, from the source: functions that call what makes bytes into objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import securexgb

PACKAGE = Path(securexgb.__file__).parent
READING = frozenset({
    "DER_cert_to_PEM_cert", "FromString", "ParseFromString", "exchange_bytes", "from_json",
    "getaddrinfo", "input_stream", "load_der_x509_certificate", "load_der_x509_crl",
    "load_pem_private_key", "load_pem_x509_certificate", "load_pem_x509_certificates", "loads",
    "open_code", "parse_quote", "raw_decode", "read_bytes", "read_csv", "read_record",
    "read_schema", "read_table", "read_text", "read_whole", "reader", "receive", "recv",
    "split_address", "strict_json", "unpack_arrays", "unpack_from", "unpack_json",
    "unpack_record", "validate_json",
})  # fmt: skip


def places() -> set[str]:
    """Every such function, as module:qualified name."""
    return {
        f"{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}:{name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_pb" not in path.name and path.parent.name != "_pb"
        for name in _reading(ast.parse(path.read_text(encoding="utf-8")), ())
    }


def _reading(node: ast.AST, within: tuple[str, ...]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _reading(child, (*within, child.name))
            continue
        if isinstance(child, ast.Call):
            called = child.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in READING and within:
                yield ".".join(within)
        yield from _reading(child, within)
