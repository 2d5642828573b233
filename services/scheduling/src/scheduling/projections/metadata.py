"""The read tables of this service, for migrations and their check."""

from sqlalchemy import MetaData

METADATA = MetaData()
