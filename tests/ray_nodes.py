"""A Ray cluster of two nodes on this machine, which listens on the loopback address only.

`python -m tests.ray_nodes` runs one until Ctrl-C; `make ray` is the same.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OF_EACH = {"node_ip_address": "127.0.0.1", "num_cpus": 1, "object_store_memory": 100 * 2**20}


@contextmanager
def two_nodes(cpus_of_head: int = 1) -> Iterator[Any]:
    """Run a head node, `first`, and one called `second`, which has one CPU to give."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = {
        **OF_EACH, "node_name": "first", "num_cpus": cpus_of_head,
        # Nothing that only looks on.
        "include_dashboard": False, "include_log_monitor": False, "no_monitor": True,
        "_system_config": {"prestart_worker_first_driver": False},
    }  # fmt: skip
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(**OF_EACH, node_name="second")
        yield cluster
    finally:
        cluster.shutdown()


def main() -> None:
    """Run two nodes until somebody stops them."""
    say = sys.stdout.write
    say("Starting two nodes.\n")
    with two_nodes() as cluster:
        say(
            f"They run, at {cluster.address}. In another terminal:\n"
            "  python -m core study run 'Human values (demo)' ratio_sweep --student tfidf"
            f" --ray {cluster.address}\n"
            "Or put that address on the Train page. Ctrl-C here stops them.\n"
        )
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    # Ray's own processes are told by us, and not by the Ctrl-C that reaches the whole terminal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
