"""Ways to make prompts: one file each."""
