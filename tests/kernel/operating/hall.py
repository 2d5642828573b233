"""A ward on a database of its own, seen by its operators."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from erbium import provision
from erbium_kernel.service import Service
from tests.kernel.follow.board import Board, Hall, make_read_tables
from tests.kernel.follow.kitchen import HEARD, Kitchen
from tests.kernel.log.conftest import make_database
from tests.kernel.log.grounds import Database
from tests.kernel.ward import BED, publishes

BOARD, KITCHEN = "ward.beds", "ward.order-meal"


def service_of(kitchen: Kitchen, board: Board) -> Service:
    """The ward with this kitchen and this board."""
    return Service(
        name="ward", deciders=(BED, kitchen.decider), publishes=publishes, heard=HEARD, reactions=(kitchen.reaction,),
        projections=(board.projection,), erased_by=("bed-left",),
    )  # fmt: skip


@asynccontextmanager
async def a_database(postgres_url: str, folders: object) -> AsyncIterator[Database]:
    """Migrated, with the board's table; dropped at the end."""
    suffix = f"ops{secrets.token_hex(4)}"
    try:
        made = await make_database(postgres_url, folders, suffix)  # type: ignore[arg-type]
        await make_read_tables(made.owner)
        yield made
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@asynccontextmanager
async def a_hall(database: Database) -> AsyncIterator[Hall]:
    """Opened, and everything followed that earlier tests have left."""
    async with Hall.on(database) as hall:
        await hall.follow()
        yield hall
