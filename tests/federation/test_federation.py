"""From two files at each side to a party that computes, with a dealer and real links."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from securexgb.boost.executor import LocalExecutor
from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.keys import create_keys
from securexgb.channel.memory import memory_pair
from securexgb.errors import (
    CertificateRefused,
    DataError,
    DealerGone,
    ProtocolDesync,
    SecureXGBError,
    StoppedByPeer,
    TermsDiffer,
    UsageError,
)
from securexgb.federation.coins import draw_coins
from securexgb.federation.session import Federation
from securexgb.mpc.matrix import MatrixShape, histograms, register
from securexgb.mpc.multiply import multiply
from securexgb.mpc.numbers.unpack import round_sums
from securexgb.mpc.open import open_shared
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share
from securexgb.terms.job import JobTerms
from tests.dealer.running import RunningDealer, dealer_process

Role = Literal["label", "feature"]
ROLES: tuple[Role, Role] = ("label", "feature")
NAMES: dict[Role, str] = {"label": "bank", "feature": "bureau"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDealer]:
    """One dealer for the module, whose two parties are the bank and the bureau."""
    folder = tmp_path_factory.mktemp("dealer")
    keys = folder / "keys"
    for role, name in NAMES.items():
        create_keys(name, keys / f"{role}.key", keys / f"{role}.pem")
    certificates = [(keys / f"{role}.pem").read_bytes() for role in ROLES]
    with dealer_process(folder, certificates) as running:
        yield running


@pytest.fixture
def folders(dealer: RunningDealer, tmp_path: Path) -> dict[Role, Path]:
    """A folder with party.toml, job.toml and keys for each side."""
    assert dealer.log is not None
    keys, port = dealer.log.parent / "keys", free_port()
    found: dict[Role, Path] = {}
    for role, other in (ROLES, ROLES[::-1]):
        folder = found[role] = tmp_path / role
        (folder / "keys").mkdir(parents=True)
        for source, target in [
            (f"{role}.key", "own.key"),
            (f"{role}.pem", "own.pem"),
            (f"{other}.pem", "peer.pem"),
        ]:
            (folder / "keys" / target).write_bytes((keys / source).read_bytes())
        (folder / "keys/own.key").chmod(0o600)
        (folder / "keys/dealer.pem").write_bytes(dealer.certificate)
        side = "listen" if role == "label" else "connect"
        (folder / "party.toml").write_text(
            f'role = "{role}"\nname = "{NAMES[role]}"\n{side} = "127.0.0.1:{port}"\n'
            f'dealer_address = "127.0.0.1:{dealer.port}"\ntimeout_seconds = 10\n'
        )
        write_terms(folder)
    return found


DEALT = {"algorithm": "ss", "offline": "dealt"}


def write_terms(folder: Path, **changes: Any) -> None:
    names = {"name": "test", "label_party": "bank", "feature_party": "bureau"}
    values = names | DEALT | changes
    (folder / "job.toml").write_text(JobTerms(**values).to_toml())


def run_both(
    folders: dict[Role, Path], program: Callable[[Party], Any], **overrides: Any
) -> list[Any]:
    """The program at both sides, each from its files; results or errors."""

    def side(role: Role) -> Any:
        try:
            federation = Federation.from_file(
                folders[role] / "party.toml", folders[role] / "job.toml", overrides
            )
            with federation.session("train") as party:
                return program(party)
        except SecureXGBError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(side, ROLES))


def product(party: Party) -> tuple[list[int], bytes, str]:
    own = np.array([3, 4], np.uint64) if party.rank == 0 else np.array([5, 6], np.uint64)
    x = share(party, own if party.rank == 0 else None, 0, (2,))
    y = share(party, own if party.rank == 1 else None, 1, (2,))
    opened = open_shared(party, multiply(party, x, y), Reveal.METRIC)
    return opened.tolist(), party.coins.key, party.source.name


def test_both_sides_compute_on_shares(folders: dict[Role, Path]) -> None:
    first = run_both(folders, product)
    assert first[0] == first[1]
    assert first[0][0] == [15, 24]
    assert first[0][2] == "dealt"
    second = run_both(folders, product)
    assert second[0] == second[1]
    assert second[0][1] != first[0][1], "coins are new for every run"


def test_what_lasts_is_the_side_s_own_and_the_rest_is_new(folders: dict[Role, Path]) -> None:
    """The same in every run, different at the sides, and not what masks are drawn from."""

    def keys(party: Party) -> tuple[bytes, bytes]:
        return party.lasting.key, party.private.key

    first, second = run_both(folders, keys), run_both(folders, keys)
    assert [lasting for lasting, _ in first] == [lasting for lasting, _ in second]
    others = [private for run in (first, second) for _, private in run]
    assert len({*others, *(lasting for lasting, _ in first)}) == 6


Sums = tuple[list[list[int]], str, int]


def sums(party: Party) -> Sums:
    """Bin 2 of the columns of both parties: sums of G and of H."""
    own = np.array([[2, 0], [1, 2], [2, 2]], np.uint8)
    shape = register(party, MatrixShape(3, (2, 2), 4, (8, 8)), own)
    vectors = np.array([[[5, 6, 7], [1, 1, 1]]], np.uint64)
    shared = share(party, vectors if party.rank == 0 else None, 0, vectors.shape)
    rows = LocalExecutor(own, 4, 4)
    label, feature = (rows, None) if party.rank == 0 else (None, rows)
    noisy = histograms(party, shape, label, feature, shared)
    both = round_sums(party, noisy, shape.widths((0, 0)))
    opened = [open_shared(party, x[0, :, 2], Reveal.METRIC).tolist() for x in both]
    return opened, party.source.name, party.source.account.dealer_bytes


METHODS: list[tuple[dict[str, str | int], str, bool]] = [
    ({}, "two-party", False),
    ({"offline": "dealt"}, "dealt", True),
    ({"offline": "dealt", "algorithm": "ss"}, "dealt", True),
    ({"he": "paillier", "paillier_bits": 2048}, "two-party", False),
    ({"he": "paillier", "paillier_bits": 2048, "offline": "dealt"}, "dealt", True),
]


@pytest.mark.parametrize(("method", "name", "has_dealer"), METHODS)
def test_histograms_are_the_same_by_every_method(
    folders: dict[Role, Path], method: dict[str, str | int], name: str, has_dealer: bool
) -> None:
    if "he" in method:
        pytest.importorskip("phe")
    for folder in folders.values():
        write_terms(folder, **({"algorithm": "hybrid", "offline": "two-party"} | method))
    for opened, source, from_dealer in run_both(folders, sums):
        assert opened == [[12, 13, 12, 13], [2, 2, 2, 2]]
        assert source == name
        assert bool(from_dealer) == has_dealer


def test_no_dealer_is_needed_by_default(folders: dict[Role, Path]) -> None:
    for folder in folders.values():
        (folder / "job.toml").write_text(
            JobTerms(name="test", label_party="bank", feature_party="bureau").to_toml()
        )
        (folder / "keys/dealer.pem").unlink()
        text = (folder / "party.toml").read_text()
        (folder / "party.toml").write_text(text.replace("dealer_address", "# "))
    first, second = run_both(folders, product)
    assert first == second
    assert (first[0], first[2]) == ([15, 24], "two-party")


def test_coins_may_be_seeded_by_the_terms(folders: dict[Role, Path]) -> None:
    for folder in folders.values():
        write_terms(folder, coins="seeded")
    first, second = run_both(folders, product), run_both(folders, product)
    assert first == second
    assert first[0][1] == first[1][1]


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_at_one_side_stops_the_other(folders: dict[Role, Path], failing: int) -> None:
    def program(party: Party) -> None:
        product(party)
        if party.rank == failing:
            raise DataError("a secret")
        product(party)

    results = run_both(folders, program)
    assert type(results[failing]) is DataError
    assert type(results[1 - failing]) is StoppedByPeer
    assert str(results[1 - failing]).endswith("stopped with DataError")


def test_other_terms_are_refused_at_both_sides(folders: dict[Role, Path]) -> None:
    write_terms(folders["feature"], prediction_decimals=2)
    for error in run_both(folders, product):
        assert type(error) is TermsDiffer
        for folder in folders.values():
            assert JobTerms.from_file(folder / "job.toml").digest in str(error)


def test_a_name_unlike_the_terms_is_a_usage_error(folders: dict[Role, Path]) -> None:
    write_terms(folders["feature"], feature_party="office")
    with pytest.raises(UsageError, match=r"'bureau' in party\.toml, but the terms name 'office'"):
        Federation.from_file(folders["feature"] / "party.toml", folders["feature"] / "job.toml")


def test_no_dealer_is_an_error_at_both_sides(folders: dict[Role, Path]) -> None:
    address = f"127.0.0.1:{free_port()}"
    errors = run_both(folders, product, dealer_address=address, timeout_seconds=2)
    kinds = {type(error) for error in errors}
    assert DealerGone in kinds
    assert kinds <= {DealerGone, StoppedByPeer}


def test_a_dealer_with_another_key_is_refused(folders: dict[Role, Path]) -> None:
    folder = folders["feature"]
    create_keys("dealer", folder / "x.key", folder / "x.pem")
    (folder / "keys/dealer.pem").write_bytes((folder / "x.pem").read_bytes())
    errors = run_both(folders, product)
    assert type(errors[1]) is CertificateRefused
    assert str(errors[0]) == "bureau (feature party) stopped with CertificateRefused"


def test_a_dealer_must_be_named_and_pinned(folders: dict[Role, Path]) -> None:
    folder = folders["label"]
    text = (folder / "party.toml").read_text()
    (folder / "party.toml").write_text(text.replace("dealer_address", "# "))
    federation = Federation.from_file(folder / "party.toml", folder / "job.toml")
    with pytest.raises(UsageError, match="set dealer_address"), federation.session("train"):
        pass
    (folder / "party.toml").write_text(text)
    (folder / "keys/dealer.pem").unlink()
    federation = Federation.from_file(folder / "party.toml", folder / "job.toml")
    with pytest.raises(UsageError, match="certificate cannot be read"), federation.session("train"):
        pass


def test_coins_are_equal_and_an_unfit_opening_is_refused() -> None:
    label, feature = memory_pair()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(draw_coins, feature, 1, "D")
        assert draw_coins(label, 0, "D").key == other.result().key
    feature.send("coins/commitment", bytes(32))
    feature.send("coins/opening", bytes(32))
    with pytest.raises(ProtocolDesync, match="than it had committed to"):
        draw_coins(label, 0, "D")


def test_a_reflected_commitment_is_refused() -> None:
    """The roles are in the commitments: nobody can answer with the other's own."""
    label, feature = memory_pair()
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(draw_coins, label, 0, "D")
        for tag in ("coins/commitment", "coins/opening"):
            feature.send(tag, feature.receive(tag, MESSAGE_BYTES))
        with pytest.raises(ProtocolDesync):
            job.result()


def test_the_first_contact_may_take_longer_than_a_wait_in_the_job(
    folders: dict[Role, Path],
) -> None:
    path = folders["label"] / "party.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("timeout_s")]
    path.write_text("\n".join(['wait = "30m"', "timeout_seconds = 7", *lines]) + "\n")
    endpoint = Federation.from_file(path, folders["label"] / "job.toml").endpoint()
    assert (endpoint.opening_seconds, endpoint.timeout_seconds) == (1800, 7)
