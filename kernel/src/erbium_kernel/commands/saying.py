"""What the commands have in common: how they are declared, and how they answer people and programs."""

import argparse
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from erbium_kernel.clock import SystemClock
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.service import Service
from erbium_kernel.settings import Settings

EXIT_CODES = "exit codes: 0 done, 1 refused or failed (standard error says why), 2 wrong usage"
Command = Callable[[Service, argparse.Namespace], Coroutine[Any, Any, int]]


def add(commands: Any, name: str, help_: str, command: Command) -> argparse.ArgumentParser:
    """One more command; every one has --json."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.", epilog=EXIT_CODES
    )
    parser.add_argument("--json", action="store_true", help="answer in JSON, one object a line")
    parser.set_defaults(command=command, usage=parser.error)
    return parser


def say(given: argparse.Namespace, sentence: str, **facts: Any) -> None:
    """The sentence for people; the facts for programs, where there are any."""
    if given.json and not facts:
        return
    sys.stdout.write((json.dumps(facts, default=str) if given.json else sentence) + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def open_tables() -> AsyncIterator[AsyncEngine]:
    """The service's tables as the `work` role, until the block ends. Raises: SettingsUnfit."""
    url = Settings().need("database_work_url").database_work_url
    engine = create_async_engine(sqlalchemy_url(url), hide_parameters=True)
    try:
        yield engine
    finally:
        await engine.dispose()


async def open_store(service: Service) -> PostgresStore:
    """The service's log as the `work` role. Raises: SettingsUnfit."""
    url = Settings().need("database_work_url").database_work_url
    return await PostgresStore.open(service=service.package, api_url=None, work_url=url, clock=SystemClock())
