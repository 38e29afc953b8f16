"""A home folder on a network file system is refused, in words, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Problem
from core.store import mounts
from core.store.db import open_database


def mounted(monkeypatch: pytest.MonkeyPatch, folder: Path, lines: list[str]) -> None:
    table = folder / "mounts"
    table.write_text("\n".join(["/dev/sda1 / ext4 rw 0 0", *lines]) + "\n")
    monkeypatch.setattr(mounts, "MOUNTS", table)


def test_a_home_on_a_network_is_refused_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted(monkeypatch, tmp_path, [f"server:/share {tmp_path}/far nfs4 rw 0 0"])
    with pytest.raises(Problem, match=r"network file system \(nfs4\)") as told:
        open_database(tmp_path / "far" / "home")
    assert "--home" in told.value.hint
    assert not (tmp_path / "far").exists()


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([], "ext4"),
        (["none {0}/far nfs rw 0 0"], "nfs"),
        (["none {0}/far nfs rw 0 0", "/dev/sdb {0}/far ext4 rw 0 0"], "ext4"),
        (["none {0}/farther nfs rw 0 0"], "ext4"),
        (["none {0}/far cifs rw 0 0", "/dev/sdb {0}/far/home xfs rw 0 0"], "xfs"),
        (["damaged"], "ext4"),
    ],
)
def test_the_nearest_and_latest_mount_counts(
    lines: list[str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted(monkeypatch, tmp_path, [line.format(tmp_path) for line in lines])
    assert mounts.kind_of(tmp_path / "far" / "home") == kind


def test_a_place_with_blanks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, tmp_path, [f"none {tmp_path}/my\\040share nfs rw 0 0"])
    assert mounts.kind_of(tmp_path / "my share" / "home") == "nfs"


def test_where_nobody_says_what_is_mounted_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "none")
    mounts.refuse_network(tmp_path)
    assert mounts.kind_of(tmp_path) is None
