"""What a log shows of a training, where there is no terminal."""

from securexgb.cli import progress
from securexgb.cli.progress import PlainLines, TrainingProgress
from securexgb.testing.harness import insecure_parties


def test_a_line_says_how_far_how_good_how_fast_and_how_long():
    lines = PlainLines(50, lambda now: "", now=100.0)
    assert lines.line(160.0) == "tree 0 of 50"
    lines.tree_done(1, "test auc 0.712", 110.0)
    lines.tree_done(2, "test auc 0.734", 120.0)
    assert lines.line(120.0) == "tree 2 of 50, test auc 0.734, 10.0 s a tree, 8 min left"


def test_trees_of_an_earlier_session_took_no_time_of_this_one():
    lines = PlainLines(20, lambda now: "", now=0.0)
    lines.tree_done(10, "", 50.0)
    assert lines.line(50.0) == "tree 10 of 20"
    lines.tree_done(11, "", 53.0)
    assert lines.line(53.0) == "tree 11 of 20, 3.00 s a tree, 27 s left"


def test_a_line_says_whom_one_waits_for(capsys):
    party = insecure_parties(seed=1)[0]
    silence = progress._Silence(party, "bureau")
    assert silence.text(0.0, 30.0) == ""
    silence._since = 0.0
    assert silence.text(29.0, 30.0) == ""
    assert silence.text(31.0, 30.0).startswith("waiting 31 s for bureau at ")
    lines = PlainLines(2, lambda now: silence.text(now, 30.0), now=0.0)
    assert lines.line(45.0).startswith("tree 0 of 2, waiting 45 s for bureau at")


def test_without_a_terminal_lines_are_written_until_the_end(capsys, monkeypatch):
    bar = TrainingProgress(insecure_parties(seed=1)[0], "bureau", 3)
    assert bar.disable
    waits = iter([False, True])
    monkeypatch.setattr(bar._ended, "wait", lambda seconds: next(waits))
    bar._lines.tree_done(1, "auc 0.7", bar._began)
    bar._write_lines()
    assert capsys.readouterr().err.startswith("tree 1 of 3, auc 0.7, ")


def test_what_is_left_is_said_from_the_beginning():
    """Trees of unequal cost: the first one takes 10 s, each other 4 s; all take twice as long."""

    def seconds(first, last):
        return 4.0 * (last - first) + (6.0 if first == 0 < last else 0.0)

    lines = PlainLines(11, lambda now: "", now=0.0)
    assert lines.left(5.0) is None
    lines.expect(seconds, 0, now=10.0)
    assert lines.line(11.0) == "tree 0 of 11, 49 s left"
    lines.tree_done(1, "", now=30.0)
    assert lines.left(30.0) == 80.0
    resumed = PlainLines(11, lambda now: "", now=0.0)
    resumed.expect(seconds, 6, now=0.0)
    assert resumed.left(0.0) == 20.0
    resumed.tree_done(7, "", now=2.0)
    assert resumed.left(2.0) == 8.0
