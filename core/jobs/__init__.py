"""Background work: every job is a subprocess that ends with its owner and loses nothing."""
