"""Whether two companies have agreed on serving, and this side is set up for it."""

from __future__ import annotations

from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.terms.serving import ServeSettings


def settings_of(federation: Federation) -> ServeSettings:
    """This side's ``[serve]``; UsageError where it, or that of the terms, is missing."""
    side, terms = federation.config.name, federation.terms
    if terms.serve is None:
        raise UsageError(
            f"{side}: the terms have no table [serve]: both sides agree on one in job.toml, before "
            "the training"
        )
    if "/" in terms.name:
        raise UsageError(
            f"{side}: the job's name {terms.name!r} has a slash, and callers ask for the model by "
            "it: choose another name in job.toml"
        )
    settings = federation.config.serve
    if settings is None:
        raise UsageError(f"{side}: party.toml has no table [serve]: name features in it, at least")
    return settings
