"""What a source charges, and what a round takes on the link, as far as protocols choose by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prices:
    """Public, the same at both parties: so costs can be told from it before a run.

    ``cheap_triples``: a triple costs its words and no transfers, as it does from a dealer.
    ``round_words``: so many words one way take the link as long as a round does; 0: rounds cost
    next to nothing, or nobody has measured.
    """

    cheap_triples: bool
    round_words: int = 0

    @property
    def is_far(self) -> bool:
        """Whether the link is slow, as far as anybody has measured."""
        return self.round_words > 0


DEALT = Prices(cheap_triples=True)
MADE = Prices(cheap_triples=False)
"""Of a dealer, and of two parties who make everything alone."""
