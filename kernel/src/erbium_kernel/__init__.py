"""The shared kernel: one log, one order, one reader; it knows no service."""
