"""Running a command in this process, as a shell would see it; or at both sides of a job."""

import json
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from securexgb.cli.app import main
from securexgb.errors import SecureXGBError
from securexgb.federation.session import Federation
from securexgb.jobs import reports
from securexgb.testing.harness import insecure_parties, run_both
from tests.processes.companies import SIDES, Companies

TREES = 4


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


@pytest.fixture(autouse=True)
def pages(monkeypatch):
    """Runs leave no page for people, which takes a second, but where a test asks for it."""
    monkeypatch.setattr(reports, "has_page", lambda: False)
    return lambda: monkeypatch.setattr(reports, "has_page", lambda: True)


@pytest.fixture
def both(monkeypatch):
    """Run a command at both sides of ``companies``, over a link in memory.

    ``fails``: each side is to end with an error; these are returned, by name. ``backend`` and
    ``seed`` are the protocols'.
    """

    def run(
        companies, command, fails=False, backend="shared", seed=5, before=lambda _: None, **options
    ):
        parties = insecure_parties(seed, backend)
        errors = {}

        @contextmanager
        def session(federation, _purpose):
            yield parties[federation.config.rank]

        monkeypatch.setattr(Federation, "session", session)

        def side(_party, name):
            before(name)
            folder = companies.root / name
            files = {"config": folder / "party.toml", "job": folder / "job.toml"}
            try:
                command(**files, **options)
            except SecureXGBError as error:
                errors[name] = error
                parties[list(SIDES).index(name)].channel.close(error)  # as a session's end does
                if not fails:
                    raise

        run_both(side, parties, list(SIDES))
        assert not fails or errors.keys() == SIDES.keys()
        return errors

    return run


@pytest.fixture
def companies(tmp_path):
    def make(name, **training):
        training = {"n_estimators": TREES, "eval_metric": ["logloss"]} | training
        made = Companies(tmp_path / name, training)
        for side in SIDES:
            with (made.root / side / "party.toml").open("a") as settings:
                settings.write('eval_data = { valid = "test.csv" }\n')
        return made

    return make
