"""The only place with SQL: one DuckDB file, one module per table."""
