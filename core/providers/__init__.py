"""LLM services: one file each."""
