"""Trials on a Ray cluster: what travels there, who does one, and what becomes of a lost node.

The process that imports Ray is the job's worker on this machine. It makes the features, puts them
into the cluster's object store once, and hands out trials as nodes have room for them; each node
fetches the features once. Ray ends a job's trials when that process ends, however it ends.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from core.errors import Problem
from core.jobs.faults import problem_of
from core.learning import Course, Learned, Lesson

INSTALL = "python -m pip install -r requirements-ray.txt"
RETRIES = 5
"""How often a trial is done again whose node or process was lost."""
AHEAD = 2
"""Trials beyond those that have room: no node waits, and a cluster that can grow sees why."""
REACH_SECONDS = 5.0
CONNECT_SECONDS = 60.0
LOOK_SECONDS = 1.0
"""How long to wait for a result before looking whether the job is to pause or nodes have come."""
NUMBERS_COME_FROM = ("numpy", "scipy", "scikit-learn", "torch", "transformers")
"""Packages that must be the same everywhere, for a table not to depend on who did which trial."""

_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")

Told = Callable[[Course, Learned, float], dict[str, Any]]
"""Makes a report of a trained student and the seconds it took."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray cluster that this machine is a node of, and how much of a node a trial takes.

    Raises:
        Problem: the address is not one of a head node, or no such share can be had.
    """

    address: str
    num_cpus: float = 1.0
    num_gpus: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what Ray would take for something else or wait for without end."""
        if not _ADDRESS.fullmatch(self.address):
            raise Problem(
                f"{self.address!r} is not the address of a Ray cluster.",
                "Name its head node as HOST:PORT, as `ray start` printed it.",
            )
        if not self.num_cpus >= 0.01 or not self.num_gpus >= 0:
            raise Problem("A trial takes at least 0.01 CPUs, and no less than no GPU.")
        if self.num_gpus > 1 and self.num_gpus % 1:
            raise Problem("A trial takes a part of one GPU, or whole ones.", "Say 0.5, or 2.")

    @property
    def needs(self) -> dict[str, float]:
        """Return what a trial takes, by Ray's names."""
        return {"CPU": self.num_cpus} | ({"GPU": self.num_gpus} if self.num_gpus else {})


def is_installed() -> bool:
    """Say whether Ray is there, without importing it."""
    return importlib.util.find_spec("ray") is not None


@contextmanager
def connected(cluster: Cluster) -> Iterator[Nodes]:
    """Connect to a cluster for a while.

    Raises:
        Problem: it cannot be reached, does not take us, or no node has room for a trial.
    """
    found = _ADDRESS.fullmatch(cluster.address)
    assert found  # noqa: S101  a cluster has no other address
    host = found["host"].strip("[]")
    _reach(cluster, host, int(found["port"]))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if _is_loopback(host):
        # Ray would look for it at this machine's outer address, where it need not listen. This
        # switch, whatever its name says, keeps the address as it is.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    ray = _joined(cluster)
    try:
        nodes = Nodes(ray, cluster)
        if not nodes.room():
            needs = " and ".join(f"{n:g} {what}" for what, n in cluster.needs.items())
            raise Problem(
                f"No node of the cluster has the {needs} that a trial is to take.",
                "Let a trial take less, or add nodes.",
            )
        yield nodes
    finally:
        ray.shutdown()


class Nodes:
    """The nodes of a cluster that we are connected to."""

    def __init__(self, ray: Any, cluster: Cluster) -> None:
        self._ray, self._cluster = ray, cluster
        self._names: dict[str, str] = {}

    @property
    def doing(self) -> str:
        """Return in words what they do."""
        return f"training on the Ray cluster {self._cluster.address}"

    def train(
        self, course: Course, told: Told, lessons: Sequence[Lesson], paused: threading.Event
    ) -> Iterator[dict[str, Any]]:
        """Yield a report per lesson as they come in; after a pause, of those in hand only.

        Raises:
            Problem: a trial cannot be done, or its node was lost too often.
        """
        ray = self._ray
        held = (ray.put((course.abroad(), told)),)
        same = tuple((name, metadata.version(name)) for name in NUMBERS_COME_FROM)
        do = ray.remote(_do).options(
            name="trial", max_retries=RETRIES, num_cpus=self._cluster.num_cpus,
            num_gpus=self._cluster.num_gpus,
        )  # fmt: skip
        fingerprint = course.fingerprint()
        waiting = deque(lessons)
        in_hand: list[Any] = []
        while True:
            if paused.is_set():
                waiting.clear()
            room = self.room() + AHEAD - len(in_hand)
            for _ in range(min(room, len(waiting))):
                in_hand.append(do.remote(held, same, fingerprint, waiting.popleft()))
            if not in_hand:
                return
            done, in_hand = ray.wait(in_hand, timeout=LOOK_SECONDS)
            for one in done:
                yield self._report(one)

    def room(self) -> int:
        """Return for how many trials at a time the nodes that are alive have room."""
        n = 0
        for node in self._ray.nodes():
            self._names[node["NodeID"]] = node["NodeName"]
            if node["Alive"]:
                has = node["Resources"]
                # A tenth of a CPU fits ten times, whatever floats say.
                n += min(
                    int(has.get(what, 0) / need + 1e-6)
                    for what, need in self._cluster.needs.items()
                )
        return n

    def _report(self, reference: Any) -> dict[str, Any]:
        try:
            report: dict[str, Any] = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            is_ours = isinstance(error, self._ray.exceptions.RayTaskError)
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise Problem(
                f"A trial could not be done on the cluster: {lines[-1 if is_ours else 0]}",
                "What had arrived is kept: resume the study, there or on this machine.",
            ) from error
        if "problem" in report:
            raise Problem(*report["problem"])
        if report["status"] == "failed":
            return report
        node = report.pop("node")
        return {**report, "device": f"{report['device']} on {self._names.get(node, node)}"}


def _do(
    held: tuple[Any, ...], same: tuple[tuple[str, str], ...], fingerprint: str, lesson: Lesson
) -> dict[str, Any]:
    """Do one trial, on a node, and return its report, or what is wrong in a few words."""
    import ray

    try:
        course, told = _fetched(held, same, fingerprint)
    except Problem as problem:
        # Said, not raised: Ray would show where in its own code it was.
        return {"problem": [problem.message, problem.hint]}
    try:
        started = time.perf_counter()
        learned = next(course.fit([lesson]))
        report = told(course, learned, time.perf_counter() - started)
    except Exception as error:  # of this trial alone: the others go on
        return failure(lesson, error)
    return {**report, "node": ray.get_runtime_context().get_node_id()}


def failure(lesson: Lesson, error: Exception) -> dict[str, Any]:
    """Return the report of a trial that failed."""
    return {"key": lesson.key, "status": "failed", "error": str(problem_of(error))}


@lru_cache(maxsize=1)
def _fetched(
    held: tuple[Any, ...], same: tuple[tuple[str, str], ...], fingerprint: str
) -> tuple[Course, Told]:
    """Return what the driver put into the object store, read once per process of a node."""
    import ray

    for name, version in same:
        if (here := _version(name)) != version:
            raise Problem(
                f"The node {_address()} has {name} {here}, and Admix {version}.",
                "Install requirements-ray.txt on every node.",
            )
    course, told = ray.get(held[0])
    if course.fingerprint() != fingerprint:
        raise Problem(
            f"The node {_address()} has other files of the encoder.",
            "Put the same ones there.",
        )
    return course, told


def _address() -> str:
    import ray

    return str(ray.util.get_node_ip_address())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not at all"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reach(cluster: Cluster, host: str, port: int) -> None:
    """Knock first: Ray itself tries for minutes."""
    try:
        socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise _no_cluster(cluster, str(error)) from error


def _joined(cluster: Cluster) -> Any:
    """Return Ray, connected."""
    import ray

    faults: list[BaseException] = []

    def join() -> None:
        try:
            ray.init(
                address=cluster.address,
                # So that every node has this very code, and needs nothing of Admix but packages.
                runtime_env={
                    "py_modules": [str(Path(__file__).parents[1])], "excludes": ["__pycache__"],
                },
                log_to_driver=False,
                logging_level="ERROR",
            )  # fmt: skip
        except BaseException as error:  # it ends the interpreter where it finds no head
            faults.append(error)

    # In a thread, because it does not come back from a server that speaks something else.
    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if faults or thread.is_alive():
        why = str(faults[0]).strip().splitlines() if faults else []
        raise _no_cluster(cluster, why[0] if why else "no answer") from (
            faults[0] if faults else None
        )
    return ray


def _no_cluster(cluster: Cluster, why: str) -> Problem:
    return Problem(
        f"The Ray cluster {cluster.address} could not be reached: {why.rstrip('.')}.",
        "Look whether it runs and this machine is a node of it (`ray status`), then resume; or"
        " resume without it.",
    )
