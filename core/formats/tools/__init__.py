"""The forms in which other annotation tools export their work, one module per form."""
