"""Trials on a Ray cluster: the table of a local run, whatever becomes of nodes and drivers."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.actions import clusters, tables, train
from core.actions.session import Session
from core.errors import Problem
from core.jobs import cluster, executors
from tests.ray_nodes import OF_EACH, two_nodes
from tests.test_pages_research import page_of, said

ROOT = Path(__file__).parents[1]

SWEEP = train.StudyRequest(
    settings={"n_total": 40, "ratios": [0, 1], "seeds": 10}, student="tfidf", name="sweep"
)
needs_ray = pytest.mark.skipif(
    not cluster.is_installed(), reason="Ray is not installed: requirements-ray.txt"
)


def scores(project: str, study: str) -> list[tuple[object, ...]]:
    rows = tables.table(project, study)
    return [tuple(v for k, v in row.items() if k not in ("seconds", "study")) for row in rows]


def ended(job: str) -> str:
    return train.wait(job).state


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def below(pid: int) -> list[int]:
    """Return the processes that a process started, which of a node are those that do trials."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(status.parent.name))
    return found


@needs_ray
@pytest.mark.slow
def test_lost_nodes_pauses_and_stops_leave_the_table_of_a_local_run(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(session.runner, "_start_part", executors.inline)
        study, job = train.launch(project, SWEEP)
    assert ended(job) == "done"
    undisturbed = scores(project, study)
    assert len(undisturbed) == 20 and {row[-1] for row in undisturbed} == {"done"}
    with session.database.write() as cursor:
        cursor.execute("DELETE FROM result")

    def devices() -> dict[str, int]:
        with session.database.read() as cursor:
            cursor.execute("SELECT device, count(*) FROM result GROUP BY device")
            return dict(cursor.fetchall())

    with two_nodes(cpus_of_head=0) as nodes:
        on = clusters.asked(nodes.address, num_cpus=1)
        study, job = train.launch(project, SWEEP, on=on)
        until(devices)
        # A trial is in hand there and stays so until its node is lost, on which a pause waits for
        # it to be done elsewhere.
        (second,) = nodes.worker_nodes
        raylet = second.all_processes["raylet"][0].process.pid
        frozen = below(raylet)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        nodes.remove_node(second, allow_graceful=False)
        for pid in frozen:
            os.kill(pid, signal.SIGKILL)
        nodes.add_node(**OF_EACH, node_name="third")
        train.pause(job)
        assert ended(job) == "paused"
        assert sum(devices().values()) < 20
        train.resume(job, on=on)
        assert ended(job) == "done"
    assert set(devices()) == {"cpu on second", "cpu on third"}
    assert scores(project, study) == undisturbed


@needs_ray
def test_a_cluster_out_of_reach_is_said_and_the_study_goes_on_without_it(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        on = clusters.asked(f"127.0.0.1:{taken.getsockname()[1]}")
        study, job = train.launch(project, SWEEP, on=on)
        assert ended(job) == "failed"
    status = train.status(project, study)
    assert status.job is not None and status.n_done == 0
    assert f"{on.address} could not be reached: " in status.job.message
    assert "then resume" in status.job.message
    train.resume(job)
    until(lambda: train.status(project, study).n_done)


@needs_ray
def test_a_server_that_is_no_ray_is_not_waited_for() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # In a process of its own, as a driver is, which must end although Ray goes on knocking.
    code = f"""
from core.errors import Problem
from core.jobs import cluster
cluster.CONNECT_SECONDS = 1.0
try:
    with cluster.connected(cluster.Cluster("127.0.0.1:{server.server_port}")):
        pass
except Problem as problem:
    print(problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    server.shutdown()
    assert "could not be reached: no answer" in done.stdout, done.stderr


@pytest.mark.executor("inline")
def test_the_train_page_asks_for_a_cluster_where_ray_is_installed(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "is_installed", lambda: False)
    at = page_of("train")
    assert cluster.INSTALL in said(at)
    assert not [box for box in at.text_input if box.label == "Ray cluster"]
    monkeypatch.setattr(cluster, "is_installed", lambda: True)
    at = page_of("train")
    assert cluster.INSTALL not in said(at)
    assert "Workers" in {box.label for box in at.number_input}
    at.text_input(key="ray").set_value("nonsense").run()
    assert "is not the address of a Ray cluster" in said(at)
    at.text_input(key="ray").set_value("127.0.0.1:6379").run()
    labels = {box.label for box in at.number_input}
    assert "Workers" not in labels and "CPUs per trial" in labels
    assert "is not the address" not in said(at)


@pytest.mark.parametrize(
    ("address", "cpus", "gpus", "said"),
    [
        ("ray://head:10001", 1, 0, "HOST:PORT"),
        ("auto", 1, 0, "HOST:PORT"),
        ("head:6379", 0, 0, "at least 0.01 CPUs"),
        ("head:6379", 1, 1.5, "one GPU, or whole ones"),
    ],
)
def test_what_ray_would_misread_is_refused(
    address: str, cpus: float, gpus: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "is_installed", lambda: True)
    with pytest.raises(Problem) as refused:
        clusters.asked(address, cpus, gpus)
    assert said in str(refused.value)


def test_without_ray_an_address_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "is_installed", lambda: False)
    with pytest.raises(Problem, match=r"requirements-ray\.txt"):
        clusters.asked("127.0.0.1:6379")
    assert clusters.asked("  ") is None
