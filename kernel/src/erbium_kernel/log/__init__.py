"""The log's adapters: PostgreSQL, and memory for the simulation; both pass one suite."""
