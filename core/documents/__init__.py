"""Documents to be read elsewhere: one plain structure, and a file per form it is written in."""
