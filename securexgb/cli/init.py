"""``securexgb init``: a commented party.toml for one of the three roles."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from securexgb.channel.keys import check_name
from securexgb.cli.options import write_new
from securexgb.cli.output import Format, FormatOption, result
from securexgb.terms.party import PartyConfig

DEALER_TEMPLATE = """\
# Settings of {name}, a dealer. It holds no data and sees none.
role = "dealer"

# The name in its certificate; both sides' terms must say the same.
name = "{name}"

# Where it listens, host:port.
listen = "0.0.0.0:7400"

# The two parties' certificates, pinned: `securexgb keys trust PEM --whose label`.
label_certificate = "keys/label.pem"
feature_certificate = "keys/feature.pem"

# Where it writes its own certificate, a new one at each start, for both sides to pin.
certificate = "keys/own.pem"

# What vouches for this program: auto (what this machine has), sgx-dcap, tdx-dcap, sev-snp,
# dev (a key in a file, for rehearsals) or none.
evidence = "auto"

# How long one party waits for the other to join, and for each step.
timeout_seconds = 60.0
"""


class Role(StrEnum):
    """The three processes of a job."""

    label = "label"
    feature = "feature"
    dealer = "dealer"


def init(
    role: Annotated[Role, typer.Option(help="What this machine is in the job.")],
    name: Annotated[
        str | None, typer.Option(help="Its name: lower-case letters, digits, hyphens.")
    ] = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("party.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Write a commented party.toml to fill in."""
    if role is Role.dealer:
        chosen = check_name(name or "dealer")
        text = DEALER_TEMPLATE.format(name=chosen)
    else:
        chosen = check_name(name or f"{role}-party")
        text = PartyConfig.template("label" if role is Role.label else "feature", chosen)
    write_new(output, text)
    following = (
        "pin both parties: securexgb keys trust PEM --whose label|feature"
        if role is Role.dealer
        else "fill it in, then: securexgb keys create"
    )
    facts = {"role": role.value, "name": chosen, "file": str(output)}
    result(facts, f"wrote {output} for {chosen} ({role.value}); next: {following}", form)
