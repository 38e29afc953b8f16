"""Admix without its screens: what it knows, does and remembers."""
