"""What operators do on this machine: the services' own commands with the stack's addresses, and two logs held against each other."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import httpx
import typer

from erbium import provision
from erbium import stack as local_stack
from erbium.servers import LocalServerError, folder, process
from erbium.servers.folder import state_folder
from erbium.telling import as_called

if TYPE_CHECKING:
    from erbium_kernel.reconciling import Missing, Reconciled, Side
    from erbium_kernel.service import Service

HOURS_DEFAULT = 24.0
GRACE_SECONDS_DEFAULT = 30.0
CONNECT_SECONDS_MAX = 5.0
ANSWER_SECONDS_MAX = 10.0
NAMED_DEFAULT = 100
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, one object a line.")]
Named = Annotated[str, typer.Argument(help=f"One of: {', '.join(name.replace('_', '-') for name in provision.SERVICES)}.")]


def add_to(app: typer.Typer) -> None:
    """These commands beside the others."""
    app.command()(reconcile)
    app.command(context_settings=PASSED_ON)(parked)
    app.command(context_settings=PASSED_ON)(rebuild)
    app.command(name="as-of")(as_of)


def reconcile(
    sender: Annotated[str | None, typer.Option("--from", help="Only what this service sends.")] = None,
    hearer: Annotated[str | None, typer.Option("--to", help="Only what this service hears.")] = None,
    hours: Annotated[float, typer.Option(help="How far back, in hours of domain time.", min=0)] = HOURS_DEFAULT,
    grace_seconds: Annotated[float, typer.Option(help="What is younger may be under way.", min=0)] = GRACE_SECONDS_DEFAULT,
    named: Annotated[int, typer.Option(help="Missing messages that are named, of each pair.", min=0, max=1_000)] = NAMED_DEFAULT,
    *,
    as_json: AsJson = False,
) -> None:
    """Hold what left each log against what arrived in the others'. Exit code 1 when something is missing."""
    pairs = [
        (one, other)
        for one in provision.SERVICES
        for other in provision.SERVICES
        if name_of(one) in service_of(other).listens_to and sender in (None, one, name_of(one)) and hearer in (None, other, name_of(other))
    ]
    if not pairs:
        raise LocalServerError("No such pair: nobody of these hears the other.")
    found = process.run(_reconciled(running_stack(), pairs, timedelta(hours=hours), timedelta(seconds=grace_seconds), named))
    for pair in found:
        for line in [json.dumps(_shown(pair))] if as_json else _told(pair):
            sys.stdout.write(f"{line}\n")
    if any(pair.missing_total or not pair.whole for pair in found):
        raise typer.Exit(1)


def parked(context: typer.Context, service: Named, *, as_json: AsJson = False) -> None:
    """Keys that wait for an operator: what follows is passed on to the service's own command (`list`, `retry … --dry-run`, …)."""
    _passed_on("parked", context, service, as_json=as_json)


def rebuild(context: typer.Context, service: Named, *, as_json: AsJson = False) -> None:
    """Make a read table again: what follows is passed on to the service's own command (`NAME --beside --dry-run`, …)."""
    _passed_on("rebuild", context, service, as_json=as_json)


def as_of(
    service: Named,
    path: Annotated[str, typer.Argument(help="Of a resource, for example /v1/patients/<id>.")],
    recorded: Annotated[str, typer.Argument(help="The instant, as 2026-03-03T20:00:00Z.")],
    role: Annotated[str, typer.Option(help=f"Who asks: {', '.join(local_stack.ROLES)}.")] = "doctor",
    *,
    as_json: AsJson = False,
) -> None:
    """Read a resource as it was recorded at an instant. Exit code 1 when it was not there."""
    running = running_stack()
    url = f"{running.services[as_package(service)].url}{path}{'&' if '?' in path else '?'}as_recorded={quote(recorded, safe='')}"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {running.token(role)}"}, timeout=ANSWER_SECONDS_MAX)
    sys.stdout.write((json.dumps(answer.json()) if as_json else json.dumps(answer.json(), indent=2)) + "\n")
    if answer.is_error:
        raise typer.Exit(1)


def running_stack() -> local_stack.Stack:
    """What runs from this state folder. Raises: LocalServerError."""
    running = local_stack.attach(state_folder())
    if running is None:
        raise LocalServerError(f"Nothing runs whose data could be looked at: start it with {as_called('up')}.")
    return running


def as_package(service: str) -> str:
    """The package of a service that somebody named. Raises: BadParameter."""
    package = service.replace("-", "_")
    if package not in provision.SERVICES:
        raise typer.BadParameter(f"{service} is no service: use one of {', '.join(map(name_of, provision.SERVICES))}.")
    return package


def name_of(package: str) -> str:
    """A service as people write it."""
    return package.replace("_", "-")


def service_of(package: str) -> "Service":
    """Its declaration."""
    found: Service = import_module(f"{package}.wiring").SERVICE
    return found


def _passed_on(command: str, context: typer.Context, service: str, *, as_json: bool) -> None:
    """The service's own command on the stack's databases, as the owner too: a rebuild beside needs it, nothing else uses it."""
    running, package = running_stack(), as_package(service)
    environment = local_stack.environment_of(running, package, port=0, metrics_port=0)
    environment["ERBIUM_DATABASE_OWNER_URL"] = running.databases[package].owner
    arguments = [sys.executable, "-m", package, command, *context.args, *(["--json"] if as_json else [])]
    sys.stdout.flush()
    done = subprocess.run(arguments, env=environment, cwd=folder.checkout(), check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


async def _reconciled(
    running: local_stack.Stack, pairs: Sequence[tuple[str, str]], back: timedelta, grace: timedelta, named: int
) -> "list[Reconciled]":
    from erbium_kernel.reconciling import Window, now_of
    from erbium_kernel.reconciling import reconcile as reconcile_pair

    found = []
    for sender, hearer in pairs:
        async with _side(running, sender) as one, _side(running, hearer) as other:
            until = await now_of(one)
            window = Window(until - back, until, grace)
            found.append(await reconcile_pair(one, other, window, listed_max=named))
    return found


@asynccontextmanager
async def _side(running: local_stack.Stack, package: str) -> "AsyncIterator[Side]":
    import asyncpg

    from erbium_kernel.reconciling import Side

    connection = await asyncpg.connect(running.databases[package].work, timeout=CONNECT_SECONDS_MAX)
    try:
        yield Side(service_of(package), connection)
    finally:
        await connection.close(timeout=CONNECT_SECONDS_MAX)


def _told(pair: "Reconciled") -> Iterator[str]:
    total = sum(sum(places.values()) for places in pair.facts.values())
    yield f"{pair.sender} -> {pair.hearer}: {total} messages, {pair.missing_total or 'none'} missing"
    for type_, places in sorted(pair.facts.items()):
        yield f"  {type_}: {', '.join(f'{count} {place}' for place, count in sorted(places.items()))}"
    for each in pair.missing:
        at = each.recorded_at.astimezone(UTC)
        yield f"  missing {each.message_id}  {each.type}  of event {each.event_id} at {at:%Y-%m-%d %H:%M:%S}Z: {each.why}"
    if pair.missing_total > len(pair.missing):
        yield f"  and {pair.missing_total - len(pair.missing)} more"
    if pair.unreadable_without_id:
        yield f"  {pair.unreadable_without_id} unreadable records at {pair.hearer} have no id: a missing message may be among them"
    if not pair.whole:
        yield "  the window holds more than is looked at: take a shorter one"


def _shown(pair: "Reconciled") -> dict[str, Any]:
    return {
        "from": pair.sender,
        "to": pair.hearer,
        "facts": {type_: dict(places) for type_, places in pair.facts.items()},
        "missing_total": pair.missing_total,
        "missing": [_missing(each) for each in pair.missing],
        "unreadable_without_id": pair.unreadable_without_id,
        "whole": pair.whole,
    }


def _missing(each: "Missing") -> dict[str, str]:
    return {
        "message_id": str(each.message_id), "event_id": str(each.event_id), "chain_id": str(each.chain_id), "type": each.type,
        "recorded_at": each.recorded_at.isoformat(), "why": each.why,
    }  # fmt: skip
