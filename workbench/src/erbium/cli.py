"""The command line: a whole Erbium on this machine.

Exit codes: 0 done, 1 it could not be done (one sentence says why), 2 the command was mistyped, 3 `status` found it not running.
"""

import json
import shlex
import sys
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from erbium import servers as local_servers
from erbium import stack as local_stack
from erbium.servers import LocalServerError
from erbium.servers.folder import state_folder

NOT_RUNNING = 3

app = typer.Typer(
    help="Erbium on this machine: servers, services, tokens, a demonstration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line; an expected failure is one sentence, never a traceback."""
    try:
        app()
    except LocalServerError as error:
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        _stderr.print(f"erbium: {error}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        _stderr.print("erbium: stopped")
        sys.exit(130)


def _progress() -> Callable[[str], None]:
    """Say what is being done: every step where nobody watches, and the many small ones only on a terminal."""

    def say(step: str) -> None:
        if "fetching" not in step:
            _stderr.print(f"  {step}", markup=False)
        elif _stderr.is_terminal or "fetching 1 of" in step:
            _stderr.print(f"  {step}", markup=False, end="\r" if _stderr.is_terminal else "\n")

    return say


@app.command()
def up(as_json: AsJson = False) -> None:
    """Start PostgreSQL, Kafka and the four services, and leave them running. A second time it only says where they are."""
    state = state_folder()
    already = local_stack.attach(state) is not None
    running = local_stack.up(state, die_with_parent=False, progress=_progress())
    _show(_described(running, already=already), as_json=as_json, words=_in_words)


@app.command()
def down(as_json: AsJson = False) -> None:
    """Stop everything that `up`, `servers` or a lost `demo` left running. The data stays."""
    ran = local_stack.down(state_folder())
    _show({"stopped": ran}, as_json=as_json, words=lambda _: "Stopped; the data stays." if ran else "Nothing was running.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """What runs, and where. Exit code 3 when it is not all of it."""
    state = state_folder()
    running = local_stack.attach(state)
    if running is not None:
        _show(_described(running, already=True), as_json=as_json, words=_in_words)
        return
    names = local_stack.running_names(state)
    said = f"Only {', '.join(names)} runs: `erbium up` starts the rest." if names else "Not running: `erbium up` starts it."
    _show({"running": False, "processes": names}, as_json=as_json, words=lambda _: said)
    raise typer.Exit(NOT_RUNNING)


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Start everything, play a day in a clinic, stop everything. What ran before is used, and left running."""
    import erbium.demo as play

    state = state_folder()
    already = local_stack.attach(state) is not None
    running = local_stack.up(state, die_with_parent=True, progress=_progress())
    try:
        play.run(running, _progress())
    finally:
        if not already:
            running.stop()
    _show(
        {"played": True, "left_running": already}, as_json=as_json, words=lambda _: "Played." if already else "Played, and stopped again."
    )


@app.command()
def token(
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(local_stack.ROLES)}.")] = "doctor",
    chain: Annotated[UUID | None, typer.Option(help="The chain; the one of development unless named.")] = None,
    clinic: Annotated[list[UUID] | None, typer.Option(help="A clinic; may be repeated.")] = None,
    subject: Annotated[UUID | None, typer.Option(help="Who it is; always the same person of that role unless named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a bearer token for development."""
    if role not in local_stack.ROLES:
        raise typer.BadParameter(f"{role} is not a role: use one of {', '.join(local_stack.ROLES)}.")
    running = local_stack.attach(state_folder())
    if running is None:
        raise LocalServerError("Tokens name an issuer that runs: start it with `erbium up`.")
    minted = running.token(role, chain=chain, clinics=clinic, subject=subject)
    described = {"role": role, "chain": str(chain or running.chain), "token": minted}
    _show(described, as_json=as_json, words=lambda _: minted)


@app.command()
def servers(as_json: AsJson = False) -> None:
    """Start PostgreSQL and Kafka alone, leave them running, and print how to reach them."""
    state = state_folder()
    found = local_servers.attach(state) or local_servers.start(state, die_with_parent=False, progress=_progress())
    described = {"postgres_url": found.postgres_url, "kafka": found.kafka}
    exports = f"export ERBIUM_POSTGRES_URL={shlex.quote(found.postgres_url)} ERBIUM_KAFKA={shlex.quote(found.kafka)}"
    _show(described, as_json=as_json, words=lambda _: exports)


def _described(running: local_stack.Stack, *, already: bool) -> dict[str, Any]:
    return {
        "running": True,
        "already": already,
        "services": {name: {"url": one.url, "docs": one.docs, "metrics": one.metrics} for name, one in sorted(running.services.items())},
        "issuer": running.issuer,
        "kafka": running.servers.kafka,
        "chain": str(running.chain),
        "clinics": [str(clinic) for clinic in running.clinics],
        "tokens": {role: running.token(role) for role in local_stack.ROLES},
        "curl": running.working_curl(),
        "logs": str(running.state / "logs"),
    }


def _in_words(described: dict[str, Any]) -> str:
    lines = ["Erbium was running already." if described["already"] else "Erbium runs.", ""]
    lines += [f"  {name:<17} {where['docs']}" for name, where in described["services"].items()]
    lines += ["", f"  chain   {described['chain']}", f"  clinics {', '.join(described['clinics'])}", f"  logs    {described['logs']}", ""]
    lines += ["Tokens for development, one a role:"]
    lines += [f"  {role:<21} {token}" for role, token in described["tokens"].items()]
    lines += ["", "Try:", f"  {described['curl']}", "", "`erbium down` stops it."]
    return "\n".join(lines)


def _show(described: dict[str, Any], *, as_json: bool, words: Callable[[dict[str, Any]], str]) -> None:
    sys.stdout.write((json.dumps(described, indent=2) if as_json else words(described)) + "\n")
