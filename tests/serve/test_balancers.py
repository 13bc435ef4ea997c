"""HAProxy and nginx between the replicas of two companies, two at each, by plain TCP."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes.companies import free_port
from tests.serve.fakes import call, keys_of
from tests.serve.pair import Companies
from tests.serve.replicas import Replicas
from tests.serve.test_pair import expected

pytestmark = pytest.mark.timeout(300)
RUN = "20260101T000000Z"
INFER = "/v2/models/serving/infer"
STREAM = "lib/nginx/modules/ngx_stream_module.so"
HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen replicas
  bind 127.0.0.1:{port}
  balance roundrobin
  server one 127.0.0.1:{ports[0]} check inter 500ms
  server two 127.0.0.1:{ports[1]} check inter 500ms
"""
NGINX = """
{load}
daemon off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
stream {{
  upstream replicas {{ server 127.0.0.1:{ports[0]}; server 127.0.0.1:{ports[1]}; }}
  server {{
    listen 127.0.0.1:{port};
    proxy_connect_timeout 5s;
    proxy_timeout 60s;
    proxy_pass replicas;
  }}
}}
"""


@pytest.fixture(params=["haproxy", "nginx"])
def balancer(request, tmp_path):
    """Two replicas' ports, and the one that leads to them."""
    program = shutil.which(request.param) or shutil.which(request.param, path="/usr/sbin")
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    ports, port, file = [free_port(), free_port()], free_port(), tmp_path / "balancer"
    if request.param == "haproxy":
        file.write_text(HAPROXY.format(ports=ports, port=port))
        command = [program, "-db", "-f", str(file)]
    else:
        module = Path(program).resolve().parents[1] / STREAM
        if not module.exists():
            pytest.skip("nginx is installed without its module for streams")
        load = f"load_module {module};"
        file.write_text(NGINX.format(ports=ports, port=port, folder=tmp_path, load=load))
        command = [program, "-p", str(tmp_path), "-c", str(file)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        yield ports, port
        process.terminate()


def test_replicas_find_each_other_and_survive_that_one_leaves(balancer, tmp_path):
    ports, port = balancer
    companies = Companies(tmp_path / "companies")
    companies.train(RUN)
    replicas = Replicas(companies, tmp_path)
    try:
        features = [
            replicas.start("feature", str(number), listen=f"127.0.0.1:{own}")
            for number, own in enumerate(ports)
        ]
        labels = [
            replicas.start("label", str(number), connect=f"127.0.0.1:{port}") for number in range(2)
        ]
        for label in labels:
            label.linked()
        scores = expected(companies, RUN, [5]).tolist()
        for leaves in (None, 0):
            if leaves is not None:
                assert features[leaves].end() == 0
            for label in labels:
                status, _, told = call(label.port, INFER, keys_of(companies.keys[5]))
                assert (status, told["outputs"][0]["data"]) == (200, scores)
        assert [label.end() for label in labels] == [0, 0]
    finally:
        replicas.stop()
