"""A process that serves a fake scorer, as ``securexgb serve`` serves a real one."""

import logging
import sys

from securexgb.cli.signals import ended_in_order
from securexgb.serve.front.app import Front
from securexgb.serve.meter import PrometheusMeter
from securexgb.serve.running import run
from tests.serve.fakes import FakeScorer, federation


class Holding(FakeScorer):
    """Answers when it is drained, and says what it is asked for."""

    def submit(self, request):
        future = super().submit(request)
        print("asked", flush=True)
        return future

    def drain(self, seconds):
        print("draining", flush=True)
        super().drain(seconds)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    scorer = Holding()
    scorer.holds = "hold" in sys.argv
    serve = {"http": "127.0.0.1:0", "drain_seconds": float(sys.argv[1])}
    own = federation(serve=serve)
    with ended_in_order():
        run(
            own,
            scorer,
            PrometheusMeter(),
            lambda health: Front(own, scorer, health, None).routes(),
            lambda port: print(port, flush=True),
        )


if __name__ == "__main__":
    main()
