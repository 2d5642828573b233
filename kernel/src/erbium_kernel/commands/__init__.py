"""The command line's larger parts: what operators do about parked keys and read tables."""
