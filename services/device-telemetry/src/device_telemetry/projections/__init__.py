"""Read tables and their queries."""
