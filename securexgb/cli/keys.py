"""``securexgb keys``: the own key pair, pinned certificates, fingerprints for the telephone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.channel import keys
from securexgb.channel.keys import Certificate
from securexgb.cli.options import ConfigOption
from securexgb.cli.output import Format, FormatOption, result
from securexgb.errors import UsageError
from securexgb.report.aligned import table
from securexgb.terms.party import PartyConfig
from securexgb.terms.toml import read_toml

app = typer.Typer(help="Key pair, pinned certificates, fingerprints.", no_args_is_help=True)


class Whose(StrEnum):
    """Whose certificate is to be pinned."""

    peer = "peer"
    dealer = "dealer"
    label = "label"
    feature = "feature"


@app.command()
def create(
    config: ConfigOption = Path("party.toml"),
    days: Annotated[int, typer.Option(help="Days the certificate is valid.")] = keys.VALID_DAYS,
    form: FormatOption = Format.text,
) -> None:
    """Make this side's key pair and certificate."""
    if _is_dealer(config):
        raise UsageError("a dealer makes its key pair itself, a new one at each start")
    settings = PartyConfig.from_file(config)
    made = keys.create_keys(settings.name, settings.key, settings.certificate, days)
    facts = _facts("own", settings.certificate, made)
    text = (
        f"private key  {settings.key} (never send it)\n"
        f"certificate  {settings.certificate} (send it to the other side)\n"
        f"fingerprint  {made.readable}"
    )
    result(facts, text, form)


@app.command()
def trust(
    pem: Annotated[Path, typer.Argument(help="The certificate that you were sent.")],
    whose: Annotated[
        Whose | None, typer.Option(help="Whose it is; at a dealer label or feature.")
    ] = None,
    config: ConfigOption = Path("party.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Pin a certificate: from then on TLS accepts that one and no other."""
    places = _places(config)
    chosen = whose or Whose.peer
    if chosen.value not in places:
        raise UsageError(f"--whose must be {' or '.join(n for n in places if n != 'own')} here")
    known = {n: path for n, path in places.items() if n != chosen.value and path.exists()}
    pinned = keys.trust(pem, places[chosen.value], others=known)
    text = (
        f"pinned {pinned.name} as {chosen.value}\n"
        f"fingerprint  {pinned.readable}\n"
        "read it to the other side over the telephone: it must be the one that it sees"
    )
    result(_facts(chosen.value, places[chosen.value], pinned), text, form)


@app.command()
def show(config: ConfigOption = Path("party.toml"), form: FormatOption = Format.text) -> None:
    """Show the fingerprints of the own and of all pinned certificates."""
    facts: list[dict[str, Any]] = []
    for whose, path in _places(config).items():
        if path.exists():
            facts.append(_facts(whose, path, keys.read_certificate(path)))
        else:
            facts.append({"whose": whose, "file": str(path), "name": None})
    rows = [
        (row["whose"], row["name"] or "missing", row.get("readable", "-"), row.get("until", "-"))
        for row in facts
    ]
    result({"certificates": facts}, table(rows, ("whose", "name", "fingerprint", "until")), form)


def _is_dealer(config: Path) -> bool:
    return read_toml(config).get("role") == "dealer"


def _places(config: Path) -> dict[str, Path]:
    """Where each certificate of this machine is kept."""
    if _is_dealer(config):
        from securexgb.dealer.server import DealerSettings  # noqa: PLC0415  (a dealer's alone)

        dealer = DealerSettings.from_file(config)
        return {
            "own": dealer.certificate,
            "label": dealer.label_certificate,
            "feature": dealer.feature_certificate,
        }
    party = PartyConfig.from_file(config)
    return {
        "own": party.certificate,
        "peer": party.peer_certificate,
        "dealer": party.dealer_certificate,
    }


def _facts(whose: str, path: Path, certificate: Certificate) -> dict[str, Any]:
    return {
        "whose": whose,
        "file": str(path),
        "name": certificate.name,
        "fingerprint": certificate.fingerprint,
        "readable": certificate.readable,
        "until": f"{certificate.not_after:%Y-%m-%d}",
    }
