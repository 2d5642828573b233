"""A clinic as screening needs it: its time zone, heard from scheduling and kept in a stream of our own."""
