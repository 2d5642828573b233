"""One treatment: opened within limits, started by its first microbeam, held, ended, and completed when its sequence is whole."""
