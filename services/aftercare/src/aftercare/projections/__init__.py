"""Aftercare's read tables."""

from sqlalchemy import MetaData

METADATA = MetaData()
