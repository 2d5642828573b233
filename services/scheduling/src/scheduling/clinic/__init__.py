"""A clinic: its place in time, when it is open, and its rooms."""
