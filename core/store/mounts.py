"""Is a folder on a file system of this machine? Locks and crashes are only safe on one that is."""

from __future__ import annotations

import os
import re
from pathlib import Path

from core.errors import Problem

MOUNTS = Path("/proc/self/mounts")
"""What Linux says is mounted where; elsewhere nothing can be told, and nothing is refused."""
_NAMES = (
    "afs afpfs beegfs ceph cifs coda davfs fuse.afs fuse.ceph fuse.glusterfs fuse.juicefs"
    " fuse.rclone fuse.s3fs fuse.sshfs glusterfs gpfs lustre ncpfs nfs nfs4 orangefs panfs pvfs2"
    " smb3 smbfs webdav wekafs"
)
OVER_NETWORKS = frozenset(_NAMES.split())
_ESCAPED = re.compile(r"\\([0-7]{3})")


def refuse_network(folder: Path) -> None:
    """Refuse a folder that other machines can change, whose locks need not hold.

    Raises:
        Problem: it is on a network file system; the message says which.
    """
    kind = kind_of(folder)
    if kind in OVER_NETWORKS:
        raise Problem(
            f"{folder} is on a network file system ({kind}), where two machines could open the"
            " database at once and a crash could lose rows.",
            "Put the home folder on a disk of this machine with --home, and take its results away"
            " with `export` or an archive.",
        )


def kind_of(folder: Path) -> str | None:
    """Return the kind of file system that a folder is on, None where nobody says."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    path = os.path.realpath(folder)
    found: tuple[int, str] | None = None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[1])
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        # Of two mounts on one place the later one is what is seen.
        if inside and (found is None or len(place) >= found[0]):
            found = (len(place), fields[2])
    return found[1] if found else None
