"""``securexgb serve --check``: what can be known before a replica starts, one line each.

All at this side alone, but for the link: where the other side listens one handshake shows whether
it is there, is who was pinned, and lets this side in. No session is opened, so nothing is scored
and nothing stored is used. All failures are listed; the first one's exit code is the command's.
"""

from __future__ import annotations

from dataclasses import dataclass

from securexgb.boost.ensemble import ModelHalf
from securexgb.channel.endpoint import Listener
from securexgb.channel.probe import probe
from securexgb.errors import PeerError
from securexgb.federation.session import Federation
from securexgb.jobs.check_lines import CheckLines, Warned
from securexgb.jobs.checks import keys_line, model_key_line
from securexgb.serve.features.choose import open_features
from securexgb.serve.features.files import FileFeatures
from securexgb.serve.front.callers import Callers
from securexgb.serve.front.server import listen
from securexgb.serve.gate.budgets import open_gate
from securexgb.serve.scoring.allowed import serving
from securexgb.serve.scoring.models import Models

_SHOWN = 8
_LINK_SECONDS = 3.0


@dataclass(eq=False)
class ServeChecks(CheckLines):
    """The checks of one side's replica."""

    federation: Federation
    _halves: tuple[ModelHalf, ...] = ()

    def run(self) -> None:
        """Every check, whatever the others find; where the tables are missing nothing else."""
        federation = self.federation
        self._run("terms and settings", self._agreed)
        if self.first is not None:
            return
        self._run("keys", lambda: keys_line(federation))
        self._run("model key", lambda: model_key_line(federation))
        self._run("models", self._models)
        self._run("features", self._features)
        self._run("callers", self._callers)
        self._run("budgets and audit", self._gate)
        self._run("http", self._http)
        self._run("link", self._link)

    def _agreed(self) -> str:
        federation = self.federation
        serving(federation)
        return f"digest {federation.digest}, {federation.role} party"

    def _models(self) -> str:
        """Which models this side has; whether the other side has them is known with a link."""
        found = Models(self.federation, serving(self.federation)).halves()
        self._halves = tuple(found.values())
        return f"{len(found)}, the newest last: {', '.join(model[:_SHOWN] for model in found)}"

    def _features(self) -> str:
        """The source answers, and has every model's columns."""
        features = open_features(self.federation)
        try:
            for half in self._halves:
                features.look_up((), half.columns, half.categories)
            columns = len({name for half in self._halves for name in half.columns})
            if isinstance(features, FileFeatures):
                return f"{features.count:,} keys, with the {columns} columns of the models"
            return f"the service answers, with the {columns} columns of the models"
        finally:
            features.close()

    def _callers(self) -> str:
        path = serving(self.federation).callers
        if self.federation.role == "feature":
            return "none: scores are asked for at the label party"
        if path is None:
            return Warned("whoever reaches the port may ask: name callers in [serve]")
        return f"{Callers(path).count} with tokens"

    def _gate(self) -> str:
        open_gate(self.federation).close()
        return f"{serving(self.federation).audit} can be written"

    def _http(self) -> str:
        address = serving(self.federation).http
        listen(address, self.federation.config.name).close()
        return f"{address} is free"

    def _link(self) -> str:
        """The port is free, or what listens at the other side's is the other side."""
        endpoint, peer = self.federation.endpoint(), self.federation.peer_name
        if endpoint.connect is None:
            Listener(endpoint).stop()
            return f"{endpoint.listen} is free"
        try:
            probe(endpoint.connect, peer, endpoint.credentials, _LINK_SECONDS)
        except PeerError as error:
            return Warned(f"{error}; a replica dials until it is there")
        return f"{peer} answers at {endpoint.connect}"
