"""Read tables for people and lists. No decision reads them: decisions read their own stream."""

from sqlalchemy import MetaData

METADATA = MetaData()
