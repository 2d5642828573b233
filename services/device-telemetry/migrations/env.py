"""Alembic runs this file for every command; what it does is the same in all services."""

from alembic import context

from device_telemetry.wiring import SERVICE
from erbium_kernel.migrating import run

run(context, SERVICE)
