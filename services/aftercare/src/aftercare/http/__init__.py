"""Aftercare's endpoints under /v1."""
