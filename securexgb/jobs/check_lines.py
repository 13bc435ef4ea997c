"""What `check` and `serve --check` list: one line for each step, and the first failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from securexgb.errors import SecureXGBError


class Warned(str):
    """A detail that deserves attention and stops nothing."""


@dataclass(eq=False)
class CheckLines:
    """What was checked (name, status, detail), and the first failure; none stops the others."""

    lines: list[tuple[str, str, str]] = field(default_factory=list, kw_only=True)
    first: SecureXGBError | None = field(default=None, kw_only=True)

    def add(self, name: str, step: Callable[[], str]) -> None:
        """One more line: what a step says, or what it fails with."""
        self._run(name, step)

    def _run(self, name: str, step: Callable[[], str]) -> None:
        try:
            detail = step()
            status = "warning" if isinstance(detail, Warned) else "ok"
            self.lines.append((name, status, detail))
        except SecureXGBError as error:
            self.lines.append((name, "FAILED", str(error)))
            self.first = self.first or error
