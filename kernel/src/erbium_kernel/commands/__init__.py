"""The command line's larger parts: what operators do about parked keys, read tables and master keys."""
