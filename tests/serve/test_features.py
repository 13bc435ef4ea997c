"""Columns of a key: from a file that changes, and from a company's own service."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from securexgb.errors import DataError, FeaturesUnavailable, UsageError
from securexgb.serve.features.choose import open_features
from securexgb.serve.features.files import FileFeatures
from tests.serve.fakes import federation

CSV = "customer,income,region,default\nc1,1.5,07,0\nc2,,7,1\n003,-2,NA,0\n"


@pytest.fixture
def made():
    """Opens features, and closes them at the end."""
    opened = []

    def open_them(place, role="label", terms=None, **settings):
        serve = {"features": str(place), "feature_seconds": 5}
        own = federation(role, terms, serve | settings.pop("serve", {}), **settings)
        opened.append(open_features(own))
        return opened[-1]

    yield open_them
    for one in opened:
        one.close()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "features.csv"
    path.write_text(CSV)
    return path


def listed(values):
    return [[None if np.isnan(x) else x for x in row] for row in values.tolist()]


def test_columns_are_looked_up_by_key_in_any_order(file, made):
    found = made(file).look_up(["003", "c9", "c1", "003"], ["income"])
    assert listed(found.values) == [[-2.0], [None], [1.5], [-2.0]]
    assert found.known.tolist() == [True, False, True, True]
    assert found.base_margins is None


def test_categories_are_numbers_of_the_models_own(file, made):
    features = made(file, categorical_columns=["region"])
    for names, numbers in ((("7", "07"), [1, 0, None]), (("x",), [-1, -1, None])):
        found = features.look_up(["c1", "c2", "003"], ["region", "income"], {"region": names})
        assert listed(found.values[:, :1]) == [[number] for number in numbers]


def test_no_key_and_no_column_are_looked_up_too(file, made):
    features = made(file)
    assert features.look_up([], ["income"]).values.shape == (0, 1)
    assert features.look_up(["c1"], []).values.shape == (1, 0)


def test_parquet_with_numbers_as_keys_and_margins(tmp_path, made):
    path = tmp_path / "features.parquet"
    table = {"number": [7, 8], "income": [1.0, None], "older": [0.5, -0.5]}
    pa.parquet.write_table(pa.table(table), path)
    serve, terms = {"key_column": "number"}, {"training": {"base_margin_bound": 2.0}}
    features = made(path, terms=terms, serve=serve, base_margin_column="older")
    found = features.look_up(["8", "07"], ["income"])
    assert listed(found.values) == [[None], [None]]
    assert found.known.tolist() == [True, False]
    assert listed(found.base_margins[:, None]) == [[-0.5], [None]]


def test_keys_are_spelt_as_the_alignment_spells_them(tmp_path, made):
    path = tmp_path / "features.csv"
    path.write_text("name,born,income\n Meier,31.12.1980,1\n")
    steps = {"surname": ["strip", "casefold"], "birth_date": ["iso_date"]}
    align = {"keys": ["surname", "birth_date"], "normalise": steps, "min_common": 1}
    terms = {"id_column": None, "align": align}
    features = made(path, terms=terms, key_columns=["name", "born"])
    assert features.look_up(["MEIER; 1980/12/31", "meier"], ["income"]).known.tolist() == [
        True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ("customer,income\nc1,1\nc1,2\n", DataError, "data rows 1 and 2 hold the same id"),
        ("customer,income\nc1,1\n,2\n", DataError, "empty"),
        ("person,income\nc1,1\n", UsageError, "no column 'customer' of keys"),
        (None, UsageError, "there is no file"),
    ],
)
def test_files_that_cannot_be_used_are_refused(tmp_path, made, content, kind, text):
    path = tmp_path / "features.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(kind, match=text) as refused:
        made(path)
    assert "c1" not in str(refused.value)


@pytest.mark.parametrize(("column", "text"), [("age", "no column 'age'"), ("region", "numeric")])
def test_columns_that_are_not_there_or_no_numbers_are_refused(tmp_path, made, column, text):
    path = tmp_path / "features.csv"
    path.write_text("customer,region\nc1,north\n")
    with pytest.raises(FeaturesUnavailable, match=text):
        made(path).look_up([], [column])


def test_features_and_the_column_of_keys_must_be_named(file, made):
    with pytest.raises(UsageError, match="name features in"):
        open_features(federation())
    with pytest.raises(UsageError, match="key_column"):
        made(file, terms={"id_column": None})


def renewed(path, content):
    """Replace a file as its owner should: in one step."""
    path.with_suffix(".new").write_text(content)
    path.with_suffix(".new").rename(path)


class Still(FileFeatures):
    """Looks for changes when it is told to."""

    def _watch(self):
        pass


def test_a_changed_file_takes_the_place_of_the_old_one(file, caplog):
    caplog.set_level(logging.INFO)
    features = Still(federation(serve={"features": str(file)}), file)
    income = lambda: listed(features.look_up(["c1", "c4"], ["income"]).values)  # noqa: E731
    assert income() == [[1.5], [None]]
    renewed(file, "customer,income\nc1,8\nc4,9\n")
    features.refresh()
    assert income() == [[1.5], [None]]  # it may still grow
    features.refresh()
    assert income() == [[8], [9]]
    assert features.count == 2
    for broken in ("customer,income\nc1,8\nc1,9\n", "customer,age\nc1,8\n"):
        renewed(file, broken)
        for _ in range(3):
            features.refresh()
        assert income() == [[8], [9]]
    file.unlink()
    features.refresh()
    features.refresh()
    assert income() == [[8], [9]]
    told = [line for line in caplog.messages if "stay as they were" in line]
    assert len(told) == 3
    assert "read anew: 2 keys" in caplog.text
    features.close()


def test_the_file_is_watched(file, made):
    features = made(file)
    renewed(file, "customer,income\nc1,8\n")
    while features.count != 1:
        assert not features._closed.wait(0.01)


class Service(BaseHTTPRequestHandler):
    """Answers as a test says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.asked.append((asked, self.client_address))
        if server.waits is not None:
            server.waits.wait()
        content = server.answers(asked)
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(content) + (content == CUT)))
        if server.closes == "told":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        if server.closes == "silently" or content == CUT:
            self.close_connection = True

    def log_message(self, *_):
        pass


CUT = b'{"known": [true], "columns": {"income": [1]'
HELD = {"c1": {"income": 1.5, "region": "north"}, "c2": {"income": None, "region": 7}}


def answers(asked):
    rows = [HELD.get(key, {}) for key in asked["keys"]]
    columns = {name: [row.get(name) for row in rows] for name in asked["columns"]}
    return {"known": [bool(row) for row in rows], "columns": columns}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A caller that went away is no news."""


@pytest.fixture
def service():
    server = Server(("127.0.0.1", 0), Service)
    server.asked, server.answers, server.status = [], answers, 200
    server.closes, server.waits = None, None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    if server.waits is not None:
        server.waits.set()
    server.shutdown()
    server.server_close()
    thread.join()


def at(server):
    return f"http://127.0.0.1:{server.server_address[1]}/features?of=risk"


def test_a_service_is_asked_over_one_connection(service, made):
    features = made(at(service))
    for _ in range(2):
        names = {"region": ("7", "north")}
        found = features.look_up(["c2", "c9", "c1"], ["income", "region"], names)
        assert listed(found.values) == [[None, 0], [None, None], [1.5, 1]]
        assert found.known.tolist() == [True, False, True]
    (first, one), (_, other) = service.asked
    assert first == {"keys": ["c2", "c9", "c1"], "columns": ["income", "region"]}
    assert one == other


@pytest.mark.parametrize("closes", ["told", "silently"])
def test_a_connection_that_was_closed_is_opened_anew(service, made, closes):
    service.closes = closes
    features = made(at(service))
    for _ in range(3):
        assert features.look_up(["c1"], ["income"]).values.tolist() == [[1.5]]
    assert len({place for _, place in service.asked}) == 3


def test_a_service_is_asked_for_margins_too(service, made):
    terms = {"training": {"base_margin_bound": 2.0}}
    found = made(at(service), terms=terms, base_margin_column="income").look_up(["c1"], [])
    assert found.base_margins.tolist() == [1.5]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"{", "no|is not JSON"),
        (b'{"known": [true], "columns": {"income": [NaN]}}', "not NaN"),
        (b"[]", "no JSON object"),
        (b"[" * 20_000, "is not JSON"),
        (CUT, "cannot be asked"),
        ({"columns": {"income": [1]}}, '"known"'),
        ({"known": [1], "columns": {"income": [1]}}, '"known"'),
        ({"known": [], "columns": {"income": [1]}}, '"known"'),
        ({"known": [True]}, '"columns"'),
        ({"known": [True], "columns": {}}, "no list 'income'"),
        ({"known": [True], "columns": {"income": [1, 2]}}, "no list 'income'"),
        ({"known": [True], "columns": {"income": ["s3cret"]}}, "no number"),
        ({"known": [True], "columns": {"income": [[1]]}}, "no number"),
        (b'{"known": [true], "columns": {"income": [1e999]}}', "too large"),
        (b'{"known": [true], "columns": {"income": [1' + b"0" * 400 + b"]}}", "too large"),
        (b" " * 100_000, "more than"),
    ],
)  # fmt: skip
def test_answers_that_are_none_are_refused_without_their_values(service, made, answer, text):
    service.answers = lambda _: answer
    with pytest.raises(FeaturesUnavailable, match=text) as refused:
        made(at(service)).look_up(["c1"], ["income"])
    assert "s3cret" not in str(refused.value)


def test_categories_of_a_service_are_text(service, made):
    service.answers = lambda _: {"known": [True], "columns": {"region": [[1]]}}
    with pytest.raises(FeaturesUnavailable, match="no text"):
        made(at(service)).look_up(["c1"], ["region"], {"region": ("north",)})


def test_a_service_that_fails_or_is_slow_or_away(service, made):
    service.status = 500
    with pytest.raises(FeaturesUnavailable, match="status 500"):
        made(at(service)).look_up(["c1"], ["income"])
    service.waits = threading.Event()
    slow = made(at(service), serve={"feature_seconds": 0.05})
    with pytest.raises(FeaturesUnavailable, match=r"within 0\.05 s"):
        slow.look_up(["c1"], ["income"])
    with pytest.raises(FeaturesUnavailable, match="cannot be asked"):
        made("http://127.0.0.1:1/").look_up(["c1"], ["income"])


@pytest.mark.parametrize("address", ["ftp://host/", "http:///path", "http://name:word@host/"])
def test_addresses_of_other_kinds_are_refused(made, address):
    with pytest.raises(UsageError, match="features in"):
        made(address)
