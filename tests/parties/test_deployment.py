"""What runs a deployed party: units and manifests that fit the programs and each other."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from securexgb.channel.probe import split_address
from securexgb.serve.release.settings import KeyServiceSettings
from securexgb.terms.party import PartyConfig
from securexgb.terms.serving import ServeSettings
from securexgb.terms.toml import to_toml, validate

PARTIES = Path(__file__).resolve().parents[2] / "parties"
ROLES = ("label", "feature", "keyservice")
REPLICAS = ROLES[:2]
GOODBYE_SECONDS = 5.0
"""What a replica may take after its drain before somebody kills it."""
MOST_EXPOSED = 20
"""Tenths, of 100: what systemd's own judgement of a unit may be."""


def manifests(role: str) -> dict[str, Any]:
    """By kind; each file has one of a kind."""
    found = list(yaml.safe_load_all((PARTIES / role / "kubernetes.yaml").read_text()))
    kinds = {one["kind"]: one for one in found}
    assert len(kinds) == len(found)
    return kinds


def workload(role: str) -> dict[str, Any]:
    kinds = manifests(role)
    return kinds.get("StatefulSet") or kinds["Deployment"]


def pod(role: str) -> dict[str, Any]:
    return workload(role)["spec"]["template"]["spec"]


def container(role: str) -> dict[str, Any]:
    (one,) = pod(role)["containers"]
    return one


def ports(role: str) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container(role)["ports"]}


def settings(role: str) -> PartyConfig:
    values = tomllib.loads(manifests(role)["ConfigMap"]["data"]["party.toml"])
    return validate(PartyConfig, values, role)


@pytest.mark.parametrize("role", ROLES)
def test_every_selector_finds_its_pods(role: str) -> None:
    """No schema checks that."""
    kinds, labels = manifests(role), workload(role)["spec"]["template"]["metadata"]["labels"]
    specs = {kind: one["spec"] for kind, one in kinds.items() if kind != "ConfigMap"}
    assert workload(role)["spec"]["selector"]["matchLabels"] == labels
    assert specs["Service"]["selector"] == labels
    assert specs["NetworkPolicy"]["podSelector"]["matchLabels"] == labels
    name = workload(role)["metadata"]["name"]
    if role in REPLICAS:
        assert specs["PodDisruptionBudget"]["selector"]["matchLabels"] == labels
        assert specs["HorizontalPodAutoscaler"]["scaleTargetRef"] == {
            "apiVersion": "apps/v1", "kind": workload(role)["kind"], "name": name,
        }  # fmt: skip
    mounted = {one["name"] for one in pod(role)["volumes"]}
    mounted |= {
        one["metadata"]["name"] for one in workload(role)["spec"].get("volumeClaimTemplates", ())
    }
    for one in [*pod(role)["initContainers"], container(role)]:
        assert {volume["name"] for volume in one["volumeMounts"]} <= mounted


@pytest.mark.parametrize("role", ROLES)
def test_ports_are_the_program_s(role: str) -> None:
    specs = manifests(role)
    if role == "keyservice":
        text = specs["ConfigMap"]["data"]["keyservice.toml"]
        listening = validate(KeyServiceSettings, tomllib.loads(text), role).listen
        assert ports(role) == {"keys": split_address(listening)[1]}
        assert split_address(KeyServiceSettings().listen) == split_address(listening)
    else:
        config = settings(role)
        assert config.serve is not None
        expected = {"http": split_address(config.serve.http)[1]}
        assert expected["http"] == split_address(ServeSettings().http)[1]
        if config.listen is not None:
            expected["link"] = split_address(config.listen)[1]
        assert ports(role) == expected
    for port in specs["Service"]["spec"]["ports"]:
        assert ports(role)[port["targetPort"]] == port["port"]
    allowed = {
        port["port"] for rule in specs["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]
    }
    assert allowed == set(ports(role).values())


def test_the_two_sides_and_the_key_service_find_each_other() -> None:
    label, feature = settings("label"), settings("feature")
    assert label.connect is not None
    assert feature.listen is not None
    link = split_address(feature.listen)[1]
    assert split_address(label.connect)[1] == link
    outward = [
        rule for rule in manifests("label")["NetworkPolicy"]["spec"]["egress"]
        if any("ipBlock" in peer for peer in rule["to"])
    ]  # fmt: skip
    assert [port["port"] for rule in outward for port in rule["ports"]] == [link]
    inward = [
        rule for rule in manifests("feature")["NetworkPolicy"]["spec"]["ingress"]
        if any("ipBlock" in peer for peer in rule["from"])
    ]  # fmt: skip
    assert [port["port"] for rule in inward for port in rule["ports"]] == [link]
    service = manifests("keyservice")["Service"]
    for config in (label, feature):
        assert config.serve is not None
        assert config.serve.key_service is not None
        host, port = split_address(config.serve.key_service)
        assert (host, port) == (service["metadata"]["name"], service["spec"]["ports"][0]["port"])


@pytest.mark.parametrize("role", REPLICAS)
def test_a_replica_may_drain_before_it_is_killed(role: str) -> None:
    needed = ServeSettings().drain_seconds + GOODBYE_SECONDS
    assert pod(role)["terminationGracePeriodSeconds"] >= needed
    assert float(unit(role)["TimeoutStopSec"]) >= needed
    probes = container(role)
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert probes[name]["httpGet"]["port"] in ports(role)
        assert probes[name]["httpGet"]["path"].startswith("/v2/health/")


@pytest.mark.parametrize("role", REPLICAS)
def test_replicas_are_scaled_by_the_metric_that_they_have(role: str) -> None:
    (metric,) = manifests(role)["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["type"] == "Pods"
    assert metric["pods"]["metric"]["name"] == "securexgb_queue_seconds"


@pytest.mark.parametrize("role", ROLES)
def test_pods_have_no_rights_and_secrets_are_mounted(role: str) -> None:
    spec = pod(role)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    for one in [*spec["initContainers"], container(role)]:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "env" not in one
        assert "memory" in one["resources"]["limits"]
    (keys,) = (volume for volume in spec["volumes"] if volume["name"] == "keys")
    assert keys["emptyDir"]["medium"] == "Memory"


@pytest.mark.skipif(
    find_spec("kubernetes_validate") is None,
    reason="kubernetes-validate is not installed: pip install it, as the extra [test] does",
)
@pytest.mark.parametrize("role", ROLES)
def test_manifests_fit_the_schema_of_kubernetes(role: str) -> None:
    command = Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run(
        [command, "--strict", PARTIES / role / "kubernetes.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert said.count(" passed for resource ") == len(manifests(role))  # it passes unknown kinds


def unit(role: str) -> dict[str, str]:
    """Keys of a unit; those that come again are joined."""
    found: dict[str, str] = {}
    for line in (PARTIES / role / f"securexgb-{role}.service").read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


@pytest.mark.parametrize("role", ROLES)
def test_units_start_what_there_is(role: str) -> None:
    _, *command = unit(role)["ExecStart"].split()
    if role == "keyservice":
        assert command == ["keyservice", "serve", "--config", "/etc/securexgb/keyservice.toml"]
    else:
        files = ["--config", "/etc/securexgb/party.toml", "--job", "/etc/securexgb/job.toml"]
        assert command == ["serve", *files]
    assert unit(role)["LoadCredential"].startswith(
        "keyservice.key:" if role == "keyservice" else "own.key:"
    )
    assert (PARTIES / role / "main.py").is_file()


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine"
)


def judge_unit(unit: Path, copy: Path) -> None:
    """Whether a unit is one, and confined, in systemd's own judgement of a copy that starts what
    there is here."""
    copy.write_text(unit.read_text().replace("/opt/securexgb/bin/securexgb", sys.executable))
    judge = ["security", "--offline=true", f"--threshold={MOST_EXPOSED}"]
    for command in (["verify"], judge):
        done = subprocess.run(
            ["systemd-analyze", *command, copy], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs_systemd
@pytest.mark.parametrize("role", ROLES)
def test_units_are_good_and_confined_in_systemd_s_own_judgement(role: str, tmp_path: Path) -> None:
    name = f"securexgb-{role}.service"
    judge_unit(PARTIES / role / name, tmp_path / name)


def test_the_key_service_s_settings_are_the_template() -> None:
    assert (PARTIES / "keyservice" / "keyservice.toml").read_text().strip() == to_toml(
        KeyServiceSettings()
    ).strip()
