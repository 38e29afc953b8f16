"""What does a job have to run on: processes of this machine or a cluster, and which device?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.jobs.cluster import Cluster
from core.local_models import Device

FILE = "machines.json"


@dataclass(frozen=True, slots=True)
class Machines:
    """So many processes of this machine, or a cluster, on which trials have a kind of device.

    Without a device trials are trained on the kind on which their study began, and else on a GPU
    where there is one.
    """

    n_workers: int = 1
    cluster: Cluster | None = None
    device: Device | None = None

    def keep(self, folder: Path) -> None:
        """Write them beside a job, so that another process can start it on the same."""
        (folder / FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")


def kept(folder: Path) -> Machines:
    """Return what a job was last started on."""
    file = folder / FILE
    found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    on = found.pop("cluster", None)
    return Machines(**found, cluster=Cluster(**on) if on else None)
