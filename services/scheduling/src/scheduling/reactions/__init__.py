"""What other services say leads to commands of ours: first of all, to an entry in our own streams."""
