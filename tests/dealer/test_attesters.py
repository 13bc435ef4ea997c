"""Attesters on files that stand in for Gramine and for the kernel."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from securexgb.dealer.attesters import choose
from securexgb.dealer.attesters.configfs import ConfigfsAttester
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.attesters.files import SystemFiles
from securexgb.dealer.attesters.gramine import GramineAttester
from securexgb.dealer.evidence import BODY_BYTES, Attester, Evidence, Unattested
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import UsageError

DATA = [bytes([number]) * 64 for number in range(32)]


class FakeGramine:
    """One pair of files for the whole process, as Gramine has it."""

    def __init__(self, kind: bytes = b"dcap") -> None:
        self.kind = kind
        self.data = bytes(64)
        self.quote: Callable[[bytes], bytes] = lambda data: (
            b"\3\0" + bytes(46 + 320) + data + (4).to_bytes(4, "little") + b"sign"
        )
        self.after_write: Callable[[], None] = lambda: None

    def read(self, path: str, limit: int) -> bytes:
        name = path.removeprefix("/dev/attestation/")
        if name == "attestation_type" and self.kind:
            return self.kind
        if name == "quote" and self.kind == b"dcap":
            return self.quote(self.data)
        raise FileNotFoundError(path)

    def write(self, path: str, content: bytes) -> None:
        assert path == "/dev/attestation/user_report_data"
        self.data = content
        self.after_write()

    def make_folder(self, path: str) -> None:
        raise FileNotFoundError(path)

    def remove_folder(self, path: str) -> None:
        raise FileNotFoundError(path)


class FakeKernel:
    """configfs-tsm: a folder a request, with its own files."""

    def __init__(self, provider: bytes = b"tdx_guest\n", version: int = 4) -> None:
        self.provider, self.version = provider, version
        self.folders: dict[str, bytes] = {}
        self.removed: list[str] = []
        self.generation = b"1\n"
        self.certificates: bytes | None = None
        self.cut = 0

    def read(self, path: str, limit: int) -> bytes:
        folder, _, name = path.rpartition("/")
        if folder not in self.folders:
            raise FileNotFoundError(path)
        if name == "provider":
            return self.provider
        if name == "generation":
            return self.generation
        if name == "outblob":
            return self.report(self.folders[folder])
        if name == "auxblob" and self.certificates is not None:
            return self.certificates
        raise FileNotFoundError(path)

    def report(self, data: bytes) -> bytes:
        if self.provider.startswith(b"sev"):
            body = bytes(0x50) + data + bytes(0x4A0 - 0x90)
        else:
            start = {4: 48, 5: 54}.get(self.version, 48) + 520
            body = self.version.to_bytes(2, "little") + bytes(start - 2) + data + bytes(200)
        return body[: len(body) - self.cut]

    def write(self, path: str, content: bytes) -> None:
        folder, _, name = path.rpartition("/")
        assert name == "inblob"
        assert not self.folders[folder], "one write a folder"
        self.folders[folder] = content

    def make_folder(self, path: str) -> None:
        if path in self.folders:
            raise FileExistsError(path)
        self.folders[path] = b""

    def remove_folder(self, path: str) -> None:
        del self.folders[path]
        self.removed.append(path)


def refusal(attester: Attester, data: bytes = DATA[1]) -> str:
    with pytest.raises(AttestationError) as caught:
        attester.evidence(data)
    return caught.value.code


def many(attester: Attester) -> list[Evidence]:
    """The answers to 32 threads that ask at the same moment."""
    gate = threading.Barrier(len(DATA))

    def ask(data: bytes) -> Evidence:
        gate.wait()
        return attester.evidence(data)

    with ThreadPoolExecutor(len(DATA)) as pool:
        return list(pool.map(ask, DATA))


def test_gramine_answers_32_threads_each_its_own() -> None:
    files = FakeGramine()
    files.after_write = lambda: time.sleep(0.001)
    for data, found in zip(DATA, many(GramineAttester(files)), strict=True):
        assert found.type == "sgx-dcap"
        assert found.body[48 + 320 : 48 + 384] == data


@pytest.mark.parametrize(
    ("kind", "code"), [(b"none", "unsupported"), (b"epid", "unsupported"), (b"", "unsupported")]
)
def test_gramine_without_dcap_gives_nothing(kind: bytes, code: str) -> None:
    assert refusal(GramineAttester(FakeGramine(kind))) == code


def test_gramine_quotes_that_do_not_fit() -> None:
    files = FakeGramine()
    whole = files.quote
    files.quote = lambda data: whole(data)[:400]
    assert refusal(GramineAttester(files)) == "malformed"
    files.quote = lambda _: whole(bytes(64))
    assert refusal(GramineAttester(files)) == "report_data"
    files.quote = lambda data: b"\4" + whole(data)[1:]
    assert refusal(GramineAttester(files)) == "malformed"

    def missing(_: bytes) -> bytes:
        raise FileNotFoundError("quote")

    files.quote = missing
    assert refusal(GramineAttester(files)) == "unsupported"
    assert refusal(GramineAttester(FakeGramine()), b"short") == "malformed"


@pytest.mark.parametrize(
    ("provider", "version", "kind"),
    [
        (b"tdx_guest\n", 4, "tdx-dcap"),
        (b"tdx_guest", 5, "tdx-dcap"),
        (b"sev_guest\n", 0, "sev-snp"),
    ],
)
def test_the_kernel_answers_32_threads_each_its_own(
    provider: bytes, version: int, kind: str
) -> None:
    kernel = FakeKernel(provider, version)
    start = 0x50 if kind == "sev-snp" else {4: 568, 5: 574}[version]
    for data, found in zip(DATA, many(ConfigfsAttester(kernel)), strict=True):
        assert found.type == kind
        assert found.body[start : start + 64] == data
    assert not kernel.folders
    assert len(set(kernel.removed)) == len(DATA)


def test_certificates_come_along() -> None:
    kernel = FakeKernel(b"sev_guest\n")
    assert ConfigfsAttester(kernel).evidence(DATA[1]).endorsements == b""
    kernel.certificates = b"table"
    assert ConfigfsAttester(kernel).evidence(DATA[1]).endorsements == b"table"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"provider": b"arm_cca_guest\n"}, "unsupported"),
        ({"generation": b"2\n"}, "report_data"),
        ({"generation": b""}, "report_data"),
        ({"cut": 700}, "malformed"),
        ({"version": 6}, "malformed"),
    ],
)
def test_kernels_whose_answer_does_not_fit(change: dict[str, object], code: str) -> None:
    kernel = FakeKernel()
    for name, value in change.items():
        setattr(kernel, name, value)
    assert refusal(ConfigfsAttester(kernel)) == code
    assert not kernel.folders, "the folder is removed whatever happens"


def test_a_report_about_something_else() -> None:
    kernel = FakeKernel()
    answer = kernel.report
    kernel.report = lambda _: answer(bytes(64))  # type: ignore[method-assign]
    assert refusal(ConfigfsAttester(kernel)) == "report_data"


def test_no_kernel_support_no_evidence() -> None:
    assert refusal(ConfigfsAttester(FakeGramine())) == "unsupported"


def test_choosing() -> None:
    kernel, gramine, nothing = FakeKernel(), FakeGramine(), FakeGramine(b"")
    assert isinstance(choose.attester_for("auto", files=gramine), GramineAttester)
    assert isinstance(choose.attester_for("auto", files=kernel), ConfigfsAttester)
    assert isinstance(choose.attester_for("auto", files=nothing), Unattested)
    assert isinstance(choose.attester_for("tdx-dcap", files=kernel), ConfigfsAttester)
    assert isinstance(choose.attester_for("none", files=gramine), Unattested)
    dev = choose.attester_for("dev", DevAttester.fresh, nothing)
    assert isinstance(dev, DevAttester)
    for choice, files in (("sgx-dcap", kernel), ("sev-snp", kernel), ("tdx-dcap", nothing)):
        with pytest.raises(UsageError):
            choose.attester_for(choice, files=files)
    for choice in ("dev", "quote", ""):
        with pytest.raises(UsageError):
            choose.attester_for(choice, files=gramine)


def test_the_files_of_a_machine(tmp_path: Path) -> None:
    files, folder = SystemFiles(), str(tmp_path / "request")
    files.make_folder(folder)
    with pytest.raises(FileExistsError):
        files.make_folder(folder)
    files.remove_folder(folder)
    path = tmp_path / "blob"
    with pytest.raises(FileNotFoundError):
        files.write(str(path), b"never creates a file")
    path.write_bytes(bytes(BODY_BYTES))
    assert len(files.read(str(path), BODY_BYTES)) == BODY_BYTES
    with pytest.raises(OSError, match="more than"):
        files.read(str(path), BODY_BYTES - 1)
    files.write(str(path), b"new")
    assert files.read(str(path), 1 << 17)[:3] == b"new"


def test_short_reads_are_read_on(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write_slowly() -> None:
        with path.open("wb", buffering=0) as pipe:
            for _ in range(5):
                pipe.write(bytes(100))
                time.sleep(0.002)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert len(SystemFiles().read(str(path), 1000)) == 500
    writer.join()


@pytest.mark.skip(reason="needs an SGX, TDX or SEV-SNP machine: evidence was never made on one")
def test_evidence_from_this_machine_verifies() -> None:
    found = choose.attester_for("auto").evidence(DATA[1])
    assert found.type != "none"
