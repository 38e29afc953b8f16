"""Where do a study's trials run? On this machine, or on a Ray cluster that somebody names."""

from __future__ import annotations

import os

from core.errors import Problem
from core.jobs import cluster
from core.jobs.cluster import INSTALL, Cluster
from core.local_models import Device

__all__ = ["INSTALL", "Cluster", "Device", "asked", "default_address", "is_installed"]


def is_installed() -> bool:
    """Say whether Ray is there."""
    return cluster.is_installed()


def default_address() -> str:
    """Return the address that the environment names, empty where it names none."""
    return os.environ.get("RAY_ADDRESS", "").strip()


def asked(address: str, num_cpus: float = 1.0, num_gpus: float = 0.0) -> Cluster | None:
    """Return the cluster at an address; without one None, which is this machine.

    Raises:
        Problem: Ray is not installed, or the address or what a trial is to take cannot be.
    """
    if not address.strip():
        return None
    if not is_installed():
        raise Problem("Ray is not installed.", f"Install it with: {INSTALL}")
    return Cluster(address.strip(), num_cpus, num_gpus)
