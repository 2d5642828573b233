"""Read tables: what a GET shows. No decision reads them."""

from sqlalchemy import MetaData

METADATA = MetaData()
