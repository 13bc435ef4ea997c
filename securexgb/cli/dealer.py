"""``securexgb dealer``: the third process, which hands out correlated randomness."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.dealer.identity import fingerprint
from securexgb.dealer.server import DealerSettings, run

app = typer.Typer(help="The dealer's own process.", no_args_is_help=True)


@app.callback()
def _commands() -> None:
    """The dealer's own process."""


@app.command()
def serve(
    config: Annotated[Path, typer.Option(help="The dealer's settings.")] = Path("party.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Serve two parties until stopped; a new key and certificate at every start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = DealerSettings.from_file(config)

    def started(port: int, certificate: bytes) -> None:
        facts = {
            "port": port,
            "certificate": str(settings.certificate.absolute()),
            "fingerprint": fingerprint(certificate).hex(),
            "evidence": "none",
        }
        text = (
            f"listening on port {port}\n"
            f"certificate {facts['certificate']}, fingerprint {facts['fingerprint']}\n"
            "evidence: none"
        )
        result(facts, text, form)

    note("both parties must pin the certificate of this start: `securexgb keys trust`")
    run(settings, started)
