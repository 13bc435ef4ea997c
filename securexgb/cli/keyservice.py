"""``securexgb keyservice``: gives the key of a model's half to replicas with evidence."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from securexgb.attestation.policy import Policy
from securexgb.attestation.trust import AttestationRequirement, collateral_source
from securexgb.channel.keys import Credentials, create_keys
from securexgb.cli.options import JobOption
from securexgb.cli.output import Format, FormatOption, result
from securexgb.cli.signals import until_stopped
from securexgb.errors import UsageError
from securexgb.serve.release.kept import KeptKeys
from securexgb.serve.release.service import serving
from securexgb.serve.release.settings import KeyServiceSettings
from securexgb.storage.sealed import VARIABLE, read_key
from securexgb.terms.job import JobTerms
from securexgb.terms.toml import to_toml

app = typer.Typer(
    help="Gives models' keys to replicas of this company whose evidence a policy accepts.",
    no_args_is_help=True,
)
ServiceOption = Annotated[Path, typer.Option(help="The key service's settings.")]


@app.command()
def template(form: FormatOption = Format.text) -> None:
    """Print a keyservice.toml with every key and its comment."""
    text = to_toml(KeyServiceSettings())
    result({"keyservice.toml": text}, text, form)


@app.command()
def create(
    config: ServiceOption = Path("keyservice.toml"), form: FormatOption = Format.text
) -> None:
    """Make the key service's own key pair and certificate."""
    settings = KeyServiceSettings.from_file(config)
    made = create_keys(settings.name, settings.key, settings.certificate)
    text = (
        f"certificate  {settings.certificate} (replicas pin it: key_service_certificate)\n"
        f"fingerprint  {made.readable}"
    )
    facts = {"certificate": str(settings.certificate), "fingerprint": made.fingerprint}
    result(facts, text, form)


@app.command()
def keep(
    key: Annotated[
        Path | None,
        typer.Option(help=f"The file of the model key, 64 hex digits; or {VARIABLE}."),
    ] = None,
    job: JobOption = Path("job.toml"),
    config: ServiceOption = Path("keyservice.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Take the key of a job's halves, encrypted under the root key; then delete its file."""
    terms, found = JobTerms.from_file(job), read_key(key)
    if found is None:
        raise UsageError(f"name the file of the model key (--key), or set {VARIABLE}")
    path = KeptKeys.of(KeyServiceSettings.from_file(config)).keep(terms.full_digest, found)
    text = f"kept the key of job {terms.digest} in {path}, encrypted"
    if key is not None:
        text += f"\ndelete {key}: it holds the same key in the clear"
    result({"job": terms.full_digest, "file": str(path)}, text, form)


@app.command()
def serve(
    config: ServiceOption = Path("keyservice.toml"), form: FormatOption = Format.text
) -> None:
    """Answer replicas until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = KeyServiceSettings.from_file(config)
    own = Credentials.load(settings.key, settings.certificate, settings.party_certificate)
    own.own.check(settings.name, "the key service's own certificate")
    policy = Policy.from_file(settings.policy)
    source = collateral_source(settings.collateral, settings.collateral_cache)
    kept = KeptKeys.of(settings)
    with serving(settings.listen, own, kept, AttestationRequirement(policy, source)) as port:
        facts = {
            "port": port,
            "fingerprint": own.own.fingerprint,
            "accepts": list(policy.accept),
            "policy_sha256": policy.sha256.hex(),
        }
        text = (
            f"listening on port {port}, certificate {own.own.readable}\n"
            f"accepts {', '.join(policy.accept)}, policy {policy.sha256.hex()}"
        )
        result(facts, text, form)
        with suppress(KeyboardInterrupt):
            until_stopped()
