"""Four services in one process, on memory, under a seeded scheduler. See README.md."""
