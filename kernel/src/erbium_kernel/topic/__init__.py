"""Topics behind two ports, `Outlet` and `Inlet`: the real ones on Kafka, and ones in memory that pass the same suite."""
