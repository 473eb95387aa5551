"""The rows of the field table, one module per group. Source: openclaw-format §3."""
