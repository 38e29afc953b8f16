"""Grids of trials and how they are read: one file each."""
