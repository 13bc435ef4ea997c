"""Units and manifests of shards and of the relay: they fit the programs and each other."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from securexgb.channel.probe import split_address
from securexgb.terms.party import PartyConfig
from securexgb.terms.toml import validate
from tests.parties.test_deployment import judge_unit, needs_systemd

FOLDER = Path(__file__).resolve().parents[2] / "parties" / "shard"
UNITS = ("securexgb-shard@", "securexgb-relay")
FILES = ["--config", "/etc/securexgb/party.toml", "--job", "/etc/securexgb/job.toml"]
DOCUMENTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))


def document(kind: str, name: str) -> dict[str, Any]:
    (found,) = (d for d in DOCUMENTS if (d["kind"], d["metadata"]["name"]) == (kind, name))
    return found


def pod(kind: str, name: str) -> dict[str, Any]:
    return document(kind, name)["spec"]["template"]["spec"]


def ports(kind: str, name: str) -> dict[str, int]:
    (container,) = pod(kind, name)["containers"]
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def settings() -> PartyConfig:
    text = document("ConfigMap", "securexgb-shard")["data"]["party.toml"]
    return validate(PartyConfig, tomllib.loads(text), "manifest")


def allowed(name: str, way: str) -> set[tuple[str, int]]:
    """Of a policy: which pods, or whom else, and which port."""
    found = set()
    for rule in document("NetworkPolicy", name)["spec"][way]:
        for peer in rule["from" if way == "ingress" else "to"]:
            labels = peer.get("podSelector", {}).get("matchLabels", {})
            found |= {(labels.get("app", next(iter(peer))), port["port"]) for port in rule["ports"]}
    return found


def test_shards_are_found_by_number_at_the_ports_where_they_listen() -> None:
    cluster = settings().cluster
    assert cluster is not None
    service = document("Service", "securexgb-shard")
    name = document("StatefulSet", "securexgb-shard")["spec"]["serviceName"]
    assert service["metadata"]["name"] == name
    assert service["spec"]["clusterIP"] == "None"
    assert ports("StatefulSet", "securexgb-shard") == {
        "head": cluster.own_shard(3)[1],
        "link": cluster.own_link(3)[1],
    }
    assert cluster.own_shard(3)[0] == f"securexgb-shard-3.{name}"
    assert cluster.bound(cluster.own_link(3)) == f"0.0.0.0:{cluster.own_link(3)[1]}"
    for kind in ("StatefulSet", "Service"):
        spec = document(kind, "securexgb-shard")["spec"]
        selector = spec["selector"].get("matchLabels", spec["selector"])
        assert selector == {"app": "securexgb-shard"}


def test_only_the_head_and_the_relay_reach_shards_and_only_the_other_company_the_relay() -> None:
    config = settings()
    cluster = config.cluster
    assert cluster is not None
    assert cluster.relay is not None
    assert cluster.head is not None
    assert config.listen is not None
    relay, head = split_address(cluster.relay)[1], split_address(cluster.head)[1]
    assert split_address(config.listen)[1] == head
    assert ports("Deployment", "securexgb-relay") == {"relay": relay}
    shard = ports("StatefulSet", "securexgb-shard")
    assert allowed("securexgb-shard", "ingress") == {
        ("securexgb-head", shard["head"]),
        ("securexgb-relay", shard["link"]),
    }
    assert allowed("securexgb-relay", "ingress") == {("ipBlock", relay)}
    assert allowed("securexgb-relay", "egress") == {
        ("securexgb-head", head),
        ("securexgb-shard", shard["link"]),
        ("namespaceSelector", 53),
    }


def test_the_relay_has_no_key_and_pods_have_no_rights() -> None:
    relay = pod("Deployment", "securexgb-relay")
    assert [volume["name"] for volume in relay["volumes"]] == ["settings"]
    for spec in (relay, pod("StatefulSet", "securexgb-shard")):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        for one in [*spec.get("initContainers", []), *spec["containers"]]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_programs_are_started_with_what_they_take() -> None:
    shard, relay = (
        (FOLDER / f"{unit}.service").read_text().split("ExecStart=")[1].splitlines()[0].split()
        for unit in UNITS
    )
    assert shard[1:] == ["shard", "--number", "%i", *FILES]
    assert relay[1:] == ["relay", *FILES]
    assert "LoadCredential" not in (FOLDER / "securexgb-relay.service").read_text()
    (container,) = pod("StatefulSet", "securexgb-shard")["containers"]
    assert container["args"][:3] == ["shard", "--number", "$(NUMBER)"]
    assert [variable["name"] for variable in container["env"]] == ["NUMBER"]


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_units_are_good_and_confined_in_systemd_s_own_judgement(name: str, tmp_path: Path) -> None:
    copy = tmp_path / f"{name}{3 if name.endswith('@') else ''}.service"
    judge_unit(FOLDER / f"{name}.service", copy)
