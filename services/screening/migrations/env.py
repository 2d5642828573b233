"""Alembic runs this file for every command; what it does is the same in all services."""

from alembic import context

from erbium_kernel.migrating import run
from screening.wiring import SERVICE

run(context, SERVICE)
