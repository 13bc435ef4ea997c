"""Running a command in this process, as a shell would see it."""

import json
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from securexgb.cli.app import main
from securexgb.errors import SecureXGBError
from securexgb.federation.session import Federation
from securexgb.testing.harness import insecure_parties, run_both
from tests.processes.companies import SIDES


@dataclass
class Finished:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        return json.loads(self.stdout)


@pytest.fixture
def securexgb(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return run


@pytest.fixture
def both(monkeypatch):
    """Run a command at both sides of ``companies``, over a link in memory.

    ``fails``: each side is to end with an error; these are returned, by name. ``backend`` and
    ``seed`` are the protocols'.
    """

    def run(companies, command, fails=False, backend="shared", seed=5, **options):
        parties = insecure_parties(seed, backend)
        errors = {}

        @contextmanager
        def session(federation, _purpose):
            yield parties[federation.config.rank]

        monkeypatch.setattr(Federation, "session", session)

        def side(_party, name):
            folder = companies.root / name
            files = {"config": folder / "party.toml", "job": folder / "job.toml"}
            try:
                command(**files, **options)
            except SecureXGBError as error:
                errors[name] = error
                if not fails:
                    raise

        run_both(side, parties, list(SIDES))
        assert not fails or errors.keys() == SIDES.keys()
        return errors

    return run
