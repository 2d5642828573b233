"""The doors of screening: bodies in, commands to the aggregate, views out."""
