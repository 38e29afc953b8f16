"""Small models that learn: one file each."""
