"""What ``make thorough`` names is there; it is run by hand, and nobody would miss a test."""

from tests.thorough import EXPORTS, FAULTS, PARSERS, ROOT, VALUES


def test_the_named_tests_exist():
    for path in (*PARSERS, *VALUES, *FAULTS, *EXPORTS):
        assert (ROOT / path).exists(), path
