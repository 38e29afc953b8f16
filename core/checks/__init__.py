"""Quality checks of samples: one file each."""
