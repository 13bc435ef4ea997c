"""Evidence over the wire: verified by both parties before anything else, and again later."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from securexgb._pb import dealer_pb2 as pb
from securexgb.attestation.collateral import FileCollateral
from securexgb.attestation.policy import Policy
from securexgb.attestation.trust import Appraisals, AttestationRequirement, EvidenceSubject
from securexgb.attestation.verify import VENDORS, Challenge
from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.memory import memory_pair
from securexgb.correlations.triples import Triples
from securexgb.dealer import service
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.claims import Binding, attest
from securexgb.dealer.evidence import Attester, Evidence
from securexgb.dealer.identity import fresh_identity, key_hash
from securexgb.dealer.refusal import AttestationError
from securexgb.dealer.service import DealerService
from securexgb.dealer.session import Session
from securexgb.errors import EvidenceRefused, ProtocolDesync
from securexgb.offline.dealer_link import DealerLink
from securexgb.offline.dealt import DealtSource
from securexgb.offline.producer import ProductsAhead
from tests.attestation.examples import LaboratoryAttester, policy, roots
from tests.attestation.laboratory import Laboratory, Window
from tests.dealer.running import RunningDealer, Terms, connect_both, connected, dealer_thread
from tests.offline.laws import check_next
from tests.offline.pairs import SlowProducts

KEY = DevAttester.fresh()
OTHER = DevAttester.fresh()


def rehearsal(*keys: DevAttester) -> AttestationRequirement:
    """Accepts dev evidence by any of these keys."""
    entries = "".join(f'[[dev]]\nkey = "{key.key_hash}"\n' for key in keys)
    return AttestationRequirement(Policy.from_toml(f'version = 1\naccept = ["dev"]\n{entries}'))


def demanding(
    dealer: RunningDealer,
    first: AttestationRequirement,
    second: AttestationRequirement | None = None,
) -> Terms:
    """Both parties demand something of this dealer."""
    ends = dealer.endpoint(0, requirement=first), dealer.endpoint(1, requirement=second or first)
    return Terms(endpoints=ends)


def codes(results: list[DealtSource | BaseException]) -> list[str]:
    """Reason codes; what is no refusal of evidence fails the test. "" is the other side's."""
    for result in results:
        assert isinstance(result, EvidenceRefused), results
    return [getattr(result, "code", "") for result in results]


def test_both_accept_a_rehearsal_and_compute() -> None:
    with (
        dealer_thread(attester=KEY) as dealer,
        connected(dealer, demanding(dealer, rehearsal(KEY))) as (zero, one),
    ):
        for source in (zero, one):
            assert source.evidence == "dev"
            assert source.verdict.assurance == "dev"
            assert source.verdict.measurement == KEY.key_hash
        check_next(Triples(), (zero, one), 900)


class Replaying:
    """Answers every challenge with good evidence about an earlier one."""

    def __init__(self) -> None:
        self._earlier = KEY.evidence(bytes(64))

    def evidence(self, report_data: bytes) -> Evidence:
        return self._earlier


class Failing:
    """Its device is gone."""

    def evidence(self, report_data: bytes) -> Evidence:
        raise AttestationError("unsupported", "the device is gone")


@pytest.mark.parametrize(
    ("attester", "requirement", "code"),
    [
        (None, rehearsal(KEY), "type_not_allowed"),
        (KEY, rehearsal(OTHER), "measurement"),
        (KEY, AttestationRequirement(policy()), "type_not_allowed"),
        (Replaying(), rehearsal(KEY), "report_data"),
        (Failing(), rehearsal(KEY), "type_not_allowed"),
    ],
)
def test_refusals_stop_both_before_a_seed_leaves(
    attester: Attester | None,
    requirement: AttestationRequirement,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = spy_on_messages(monkeypatch)
    with dealer_thread(attester=attester) as dealer:
        assert codes(connect_both(dealer, demanding(dealer, requirement))) == [code, code]
    assert set(sent) <= {"join", "attest", "leave"}


def test_evidence_for_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """An impostor asks the true dealer for evidence; its own key is another."""
    true = key_hash(fresh_identity("dealer").certificate)
    start = DealerService.__init__

    def impostor(self: DealerService, *parts: object) -> None:
        start(self, *parts)  # type: ignore[arg-type]
        self._key_hash = true

    monkeypatch.setattr(DealerService, "__init__", impostor)
    with dealer_thread(attester=KEY) as dealer:
        assert codes(connect_both(dealer, demanding(dealer, rehearsal(KEY)))) == ["key", "key"]


def test_one_side_s_refusal_is_the_other_s() -> None:
    with dealer_thread(attester=KEY) as dealer:
        terms = demanding(dealer, rehearsal(KEY, OTHER), rehearsal(OTHER))
        assert codes(connect_both(dealer, terms)) == ["", "measurement"]


def test_two_policies_stop_both() -> None:
    with dealer_thread(attester=KEY) as dealer:
        terms = demanding(dealer, rehearsal(KEY, OTHER), rehearsal(KEY))
        assert codes(connect_both(dealer, terms)) == ["", ""]


@pytest.mark.parametrize("same_key", [False, True])
def test_two_genuine_dealers_one_a_party(
    monkeypatch: pytest.MonkeyPatch, *, same_key: bool
) -> None:
    """Each party's evidence is good; that the two are one dealer is not so."""
    sent = spy_on_messages(monkeypatch)
    identity = fresh_identity("dealer") if same_key else None
    with (
        dealer_thread(identity=identity, attester=KEY) as first,
        dealer_thread(identity=identity, attester=KEY) as second,
    ):
        requirement = rehearsal(KEY)
        ends = (
            first.endpoint(0, requirement=requirement),
            second.endpoint(1, requirement=requirement),
        )
        results = connect_both(first, Terms(endpoints=ends))
    assert codes(results) == ["", ""]
    assert "different dealers" in str(results[0])
    assert "seed" not in sent


def test_no_seed_and_no_correlation_before_both_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    def noting(owner: type, name: str, event: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def spy(self: object, *args: object, **named: object) -> object:
            result = original(self, *args, **named)
            events.append(event(*args))
            return result

        monkeypatch.setattr(owner, name, spy)

    noting(Challenge, "accept", lambda *_: "verdict")
    noting(DealerLink, "send", lambda message: f"sends {message.WhichOneof('message')}")
    noting(DealerLink, "_take_in", lambda message: f"gets {message.WhichOneof('message')}")
    noting(Session, "add_seed", lambda *_: "dealer has a seed")
    with (
        dealer_thread(attester=KEY) as dealer,
        connected(dealer, demanding(dealer, rehearsal(KEY))) as (zero, one),
    ):
        one.take(Triples(), 100)
        zero.take(Triples(), 100)
    verdicts = [place for place, event in enumerate(events) if event == "verdict"]
    assert len(verdicts) == 2
    assert set(events[: verdicts[1]]) <= {
        "sends join", "gets offer", "sends attest", "gets evidence", "verdict",
    }  # fmt: skip
    assert events.index("sends seed") < events.index("gets correction")
    assert events.count("dealer has a seed") == 2


def laboratory_requirement(
    laboratory: Laboratory, folder: Path, days: float = 20
) -> AttestationRequirement:
    """Trusts the laboratory; its collateral lasts for so many days."""
    now = datetime.now(UTC)
    path = folder / f"{days:g} days.json"
    window = Window(now - timedelta(days=2), now + timedelta(days=days))
    path.write_bytes(laboratory.collateral("sgx", window=window))
    return AttestationRequirement(policy(), FileCollateral(path), roots(laboratory))


def test_a_quote_through_the_real_verifier(tmp_path: Path) -> None:
    laboratory = Laboratory()
    requirement = laboratory_requirement(laboratory, tmp_path)
    with dealer_thread(attester=LaboratoryAttester(laboratory)) as dealer:
        with connected(dealer, demanding(dealer, requirement)) as (zero, one):
            assert zero.verdict.type == "sgx-dcap"
            assert zero.verdict.assurance == "dev"  # hardware only under the vendors' roots
            assert zero.verdict.tcb_status == "UpToDate"
            assert zero.verdict.to_dict() == one.verdict.to_dict()
        refused = {
            "untrusted_root": replace(requirement, roots=VENDORS),
            "collateral_expired": laboratory_requirement(laboratory, tmp_path, days=-1),
            "collateral_mismatch": replace(requirement, collateral=None),
            "measurement": replace(requirement, policy=policy(entries=ANOTHER)),
        }
        for code, wrong in refused.items():
            assert codes(connect_both(dealer, demanding(dealer, wrong))) == [code, code]


ANOTHER = f'[[sgx]]\nmrenclave = ["{"ab" * 32}"]\n'


def test_the_dealer_is_asked_again_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = spy_on_messages(monkeypatch)
    with (
        dealer_thread(attester=KEY) as dealer,
        connected(dealer, demanding(dealer, rehearsal(KEY))) as (zero, one),
    ):
        for source in (zero, one):
            source.take(Triples(), 10)
        assert sent.count("attest") == 2
        for source in (zero, one):
            assert source._dealer.appraisals is not None
            source._dealer.appraisals._again = 0.0
        for _ in range(3):
            check_next(Triples(), (zero, one), 70_000)
        assert sent.count("attest") == 4


def test_products_of_the_two_parties_too_are_taken_from_a_trusted_dealer_s_session_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Algorithm hybrid with a dealer: asking for products asks whether the dealer still stands."""
    sent = spy_on_messages(monkeypatch)
    with dealer_thread(attester=KEY) as dealer:
        terms = replace(
            demanding(dealer, rehearsal(KEY)), products=lambda rank: ProductsAhead(SlowProducts())
        )
        with connected(dealer, terms) as sources:
            for source in sources:
                source.products.vector_products(0, 1)
            assert sent.count("attest") == 2
            for source in sources:
                assert source._dealer.appraisals is not None
                source._dealer.appraisals._again = 0.0
                source.products.vector_products(0, 1)
            assert sent.count("attest") == 4


def test_a_dealer_that_fails_later_stops_both() -> None:
    class Changing:
        """First one program, then another that the policy accepts too."""

        key = KEY

        def evidence(self, report_data: bytes) -> Evidence:
            return self.key.evidence(report_data)

    attester = Changing()
    channels = memory_pair(5)
    with dealer_thread(attester=attester) as dealer:
        terms = replace(demanding(dealer, rehearsal(KEY, OTHER)), channels=channels)
        with connected(dealer, terms) as (zero, _):
            attester.key = OTHER
            assert zero._dealer.appraisals is not None
            zero._dealer.appraisals._again = 0.0
            with pytest.raises(AttestationError, match="another program") as caught:
                zero.take(Triples(), 1_000_000)
            channels[0].close(caught.value)
            with pytest.raises(EvidenceRefused, match="refuses the dealer's evidence"):
                channels[1].receive("tree 3", MESSAGE_BYTES)


def test_collateral_that_runs_out_means_asking_again(tmp_path: Path) -> None:
    laboratory = Laboratory()
    requirement = laboratory_requirement(laboratory, tmp_path, days=1)
    later = [datetime.now(UTC)]
    asked = []
    attester = LaboratoryAttester(laboratory)
    requirement = replace(requirement, now=lambda: later[0])
    about = EvidenceSubject(bytes(32), b"session-0001", (b"a" * 32, b"b" * 32))

    def ask(challenge: pb.Attest) -> pb.Evidence:
        asked.append(challenge.nonce)
        made = attest(
            attester,
            Binding(about.key_hash, challenge.nonce, about.session, about.roster,
                    challenge.policy_sha256),
        )  # fmt: skip
        return pb.Evidence(type=made.type, body=made.body, claims=made.claims)

    appraisals = Appraisals(requirement, about, ask)
    until = appraisals.appraise().collateral_until
    assert until is not None
    appraisals.renew()
    assert len(asked) == 1
    later[0] = until - timedelta(minutes=5)
    appraisals.renew()  # the file is still the same and still good
    appraisals.renew()
    assert len(asked) == 2
    later[0] = until + timedelta(seconds=1)
    with pytest.raises(AttestationError) as caught:
        appraisals.renew()
    assert caught.value.code == "collateral_expired"
    assert len(set(asked)) == 3


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (pb.Evidence(type="dev", body=bytes(1 << 17)), "malformed"),
        (pb.Evidence(type="dev", claims=bytes(2000)), "malformed"),
        (pb.Evidence(type="dev", endorsements=bytes(1 << 18)), "malformed"),
        (pb.Evidence(type="sgx-epid"), "unsupported"),
        (pb.Evidence(type=""), "unsupported"),
        (pb.Evidence(type="none"), "type_not_allowed"),
        (pb.Evidence(type="dev"), "malformed"),
    ],
)
def test_answers_are_bounded(answer: pb.Evidence, code: str) -> None:
    about = EvidenceSubject(bytes(32), b"session-0001", (b"a" * 32, b"b" * 32))
    with pytest.raises(AttestationError) as caught:
        Appraisals(rehearsal(KEY), about, lambda _: answer).appraise()
    assert caught.value.code == code


def test_asking_without_a_session_leaves_nothing_at_the_dealer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services: list[DealerService] = []
    start = DealerService.__init__

    def noting(self: DealerService, *parts: object) -> None:
        start(self, *parts)  # type: ignore[arg-type]
        services.append(self)

    monkeypatch.setattr(DealerService, "__init__", noting)
    monkeypatch.setattr(service, "SESSIONS", 2)
    with dealer_thread(attester=KEY) as dealer:
        for rank in (0, 1, 0, 1):  # more than the sessions that this dealer keeps
            endpoint, session = dealer.endpoint(rank), secrets.token_bytes(16)
            link = DealerLink(endpoint)
            offer = link.join(session, "verify", rank)
            about = EvidenceSubject(
                key_hash(dealer.certificate), session + offer.instance, endpoint.roster(rank)
            )
            assert Appraisals(rehearsal(KEY), about, link.attest).appraise().type == "dev"
            link.close()
        with connected(dealer) as (zero, one):
            check_next(Triples(), (zero, one), 64)
    assert not services[0]._meetings


@pytest.mark.parametrize(
    "challenge", [pb.Attest(), pb.Attest(nonce=bytes(32)), pb.Attest(nonce=bytes(33))]
)
def test_malformed_challenges_are_refused(challenge: pb.Attest) -> None:
    with dealer_thread(attester=KEY) as dealer:
        link = DealerLink(dealer.endpoint(0))
        link.join(b"session-0001", "digest", 0)
        with pytest.raises(ProtocolDesync):
            link.attest(challenge)
        link.close()


def spy_on_messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of all messages that parties send to dealers from now on."""
    sent: list[str] = []
    send = DealerLink.send

    def spy(self: DealerLink, message: pb.DealRequest) -> None:
        sent.append(str(message.WhichOneof("message")))
        send(self, message)

    monkeypatch.setattr(DealerLink, "send", spy)
    return sent
