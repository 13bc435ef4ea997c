"""Fresh SEV-SNP evidence end to end, under a laboratory's root."""

from __future__ import annotations

from typing import Any

import pytest

from securexgb.attestation.policy import Policy
from securexgb.attestation.verdict import Verdict
from securexgb.attestation.verify import verify
from securexgb.dealer.claims import attest
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError
from tests.attestation.examples import binding
from tests.attestation.laboratory_amd import MEASUREMENT, NOW, AmdLaboratory

GENOA, TURIN = AmdLaboratory(), AmdLaboratory("Turin")


class _Attester:
    def __init__(self, laboratory: AmdLaboratory, **fields: Any) -> None:
        self._laboratory, self._fields = laboratory, fields

    def evidence(self, report_data: bytes) -> Evidence:
        return Evidence("sev-snp", self._laboratory.report(report_data, **self._fields))


def judged(
    laboratory: AmdLaboratory = GENOA, more: str = "", chain: bytes | None = None, **fields: Any
) -> Verdict:
    accepted = Policy.from_toml(
        f'version = 1\naccept = ["sev-snp"]\n[[snp]]\nmeasurement = "{MEASUREMENT.hex()}"\n{more}'
    )
    bound = binding(accepted)
    own = attest(_Attester(laboratory, **fields), bound)
    return verify(own, bound, accepted, NOW, chain or laboratory.chain(), laboratory.roots())


def refusal(*positional: Any, **named: Any) -> str:
    with pytest.raises(AttestationError) as caught:
        judged(*positional, **named)
    return caught.value.code


@pytest.mark.parametrize("laboratory", [GENOA, TURIN], ids=["Genoa", "Turin"])
def test_fresh_evidence_is_accepted(laboratory: AmdLaboratory) -> None:
    found = judged(laboratory)
    assert (found.type, found.assurance) == ("sev-snp", "dev")
    assert found.measurement == MEASUREMENT.hex()
    assert "microcode=200" in found.tcb_status
    assert ("fmc=1" in found.tcb_status) == (laboratory is TURIN)


@pytest.mark.parametrize("laboratory", [GENOA, TURIN], ids=["Genoa", "Turin"])
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"policy": 0x30000 | 1 << 19}, "debug"),
        ({"policy": 0x30000 | 1 << 18}, "migratable"),
        ({"policy": 0x10000}, "malformed"),
        ({"vmpl": 1}, "platform"),
        ({"key_kind": 1}, "collateral_mismatch"),
        ({"chip": b"\x77" * 64}, "collateral_mismatch"),
        ({"chip": bytes(64)}, "collateral_mismatch"),
        ({"tcb": (8, 0, 23, 200, 1)}, "collateral_mismatch"),
        ({"tcb": (9, 1, 23, 200, 1)}, "collateral_mismatch"),
        ({"tcb": (9, 0, 24, 200, 1)}, "collateral_mismatch"),
        ({"tcb": (9, 0, 23, 201, 1)}, "collateral_mismatch"),
        ({"more": "vmpl = 2\n"}, "platform"),
        ({"more": 'products = ["Milan"]\n'}, "platform"),
        ({"more": "min_tcb = { snp = 24 }\n"}, "svn"),
        ({"more": f'host_data = "{"11" * 32}"\n'}, "measurement"),
        ({"chain": AmdLaboratory().chain()}, "signature"),
    ],
)
def test_what_is_refused(laboratory: AmdLaboratory, fields: dict[str, Any], code: str) -> None:
    assert refusal(laboratory, **fields) == code


def test_a_certificate_for_another_product() -> None:
    assert refusal(chain=GENOA.chain(named="Milan")) == "collateral_mismatch"


def test_a_turin_report_has_a_version_of_its_own() -> None:
    assert refusal(TURIN, tcb=(9, 0, 23, 200, 2)) == "collateral_mismatch"


def test_production_never_trusts_this_laboratory() -> None:
    accepted = Policy.from_toml(
        f'version = 1\naccept = ["sev-snp"]\n[[snp]]\nmeasurement = "{MEASUREMENT.hex()}"\n'
    )
    bound = binding(accepted)
    own = attest(_Attester(GENOA), bound)
    with pytest.raises(AttestationError) as caught:
        verify(own, bound, accepted, NOW, GENOA.chain())
    assert caught.value.code == "untrusted_root"
