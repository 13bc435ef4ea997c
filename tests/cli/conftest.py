"""Running a command in this process, as a shell would see it."""

import json
from dataclasses import dataclass

import pytest

from securexgb.cli.app import main


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
