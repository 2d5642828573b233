"""What others would build it from, in an environment of its own: measured beside us, in the same rounds."""
