"""`python -m <package> …`: one program a service, for those who deploy and operate it."""

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from erbium_kernel.commands import keys, parked, rebuilding
from erbium_kernel.commands.saying import EXIT_CODES, Command, add, say
from erbium_kernel.errors import Rejected, Unavailable
from erbium_kernel.masters import SecretsMissing
from erbium_kernel.migrating import head, migrate
from erbium_kernel.observing.serving import PortTaken
from erbium_kernel.rebuild import RebuildStuck, TableInUse
from erbium_kernel.service import Service
from erbium_kernel.settings import NEEDS, Settings, SettingsUnfit
from erbium_kernel.topic.declared import TopicsDiffer, TopicsRefused
from erbium_kernel.twin import AnotherBuild, NobodyFollowed, SkippedMeanwhile, TableBusy, TablesDiffer
from erbium_kernel.verifying import Unfit

SENTENCES = (
    SettingsUnfit, SecretsMissing, Unfit, TopicsDiffer, TopicsRefused, PortTaken, TableInUse, RebuildStuck, Unavailable, Rejected,
    TablesDiffer, AnotherBuild, SkippedMeanwhile, TableBusy, NobodyFollowed,
)  # fmt: skip


def run(service: Service, arguments: list[str] | None = None) -> None:
    """Parses, runs, exits with a documented code."""
    sys.exit(_on_a_fast_loop(obeyed(service, parser(service).parse_args(arguments))))


async def obeyed(service: Service, given: argparse.Namespace) -> int:
    """Runs the command and returns the exit code; an expected trouble is one sentence on standard error."""
    command: Command = given.command
    try:
        return await command(service, given)
    except SENTENCES as trouble:
        sentence = str(trouble) or " ".join((type(trouble).__doc__ or "").split())
        print(f"{service.name}: {sentence}", file=sys.stderr)
        return 1


def _on_a_fast_loop(work: Coroutine[Any, Any, int]) -> int:
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(work)
    return uvloop.run(work)


def parser(service: Service) -> argparse.ArgumentParser:
    """The command line of one service."""
    top = argparse.ArgumentParser(
        prog=f"python -m {service.package}", description=f"Erbium {service.name}. Settings: ERBIUM_* in the environment.", epilog=EXIT_CODES
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for kind, help_ in (("api", "serve HTTP"), ("work", "relay, intake, subscribers, timers"), ("all", "both in one process")):
        add(commands, kind, help_, _serve).set_defaults(kind=kind)
    add(commands, "migrate", "bring the database to this code's schema (as its owner)", _migrate)
    rebuilding.declare(commands, service)
    parked.declare(commands)
    keys.declare(commands)
    return top


async def _serve(service: Service, given: argparse.Namespace) -> int:
    from erbium_kernel.process import serve  # the rest needs no HTTP and no Kafka

    return await serve(service, Settings(), given.kind)


async def _migrate(service: Service, given: argparse.Namespace) -> int:
    await migrate(Settings().need(*NEEDS["migrate"]).database_owner_url, service.name)
    say(given, f"{service.name} is at revision {head(service.name)}", service=service.name, revision=head(service.name))
    return 0
