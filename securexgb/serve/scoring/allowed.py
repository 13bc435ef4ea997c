"""Whether the terms and settings let this side serve; else why not, in words."""

from __future__ import annotations

from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.terms.serving import ServeSettings


def serving(federation: Federation) -> ServeSettings:
    """This side's settings; UsageError where nothing may be served."""
    terms, name = federation.terms, federation.config.name
    if terms.serve is None:
        raise UsageError(
            f"{name}: the terms have no table [serve]: agree on it, at both sides, to score on "
            "request"
        )
    if terms.predictions_to != "label":
        raise UsageError(
            f"{name}: scores on request go to the label party alone, and the terms say "
            f'predictions_to = "{terms.predictions_to}": agree on "label"'
        )
    if terms.prediction != "transfers":
        raise UsageError(
            f'{name}: the terms say prediction = "{terms.prediction}", which takes seconds a '
            'batch: agree on "transfers"'
        )
    if federation.has_dealer:
        raise UsageError(
            f"{name}: replicas make their correlations between themselves, and the terms say "
            f'offline = "{terms.offline}": agree on "two-party"'
        )
    if "/" in terms.name:
        raise UsageError(
            f"{name}: the job's name {terms.name!r} has a slash, and callers ask for the model by "
            "it: choose another name"
        )
    return federation.config.serve or ServeSettings()
