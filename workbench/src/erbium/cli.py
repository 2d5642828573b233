"""The command line: a whole Erbium on this machine.

Exit codes: 0 done, 1 it could not be done (one sentence says why), 2 the command was mistyped, 3 `status` found it not running,
130 interrupted by Ctrl-C (one sentence says what was stopped and what stays).
"""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from erbium import development_chain, master_keys, operating, telling
from erbium import servers as local_servers
from erbium import stack as local_stack
from erbium.servers import LocalServerError
from erbium.servers.errors import explain_os_error
from erbium.servers.folder import state_folder
from erbium.telling import as_called

NOT_RUNNING = 3
INTERRUPTED = 130

app = typer.Typer(
    help="Erbium on this machine: servers, services, tokens, a demonstration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
operating.add_to(app)
app.add_typer(master_keys.keys, name="keys")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line; an expected failure is one sentence, never a traceback."""
    try:
        app()
    except LocalServerError as error:
        _fail(error)
    except OSError as error:
        if error.filename is None:
            raise  # not about a file: our bug
        _fail(explain_os_error(error, state_folder()))
    except KeyboardInterrupt:
        _stderr.print("erbium: stopped")
        sys.exit(INTERRUPTED)


def _fail(error: LocalServerError) -> None:
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
    _stderr.print(f"erbium: {error}", markup=False)
    sys.exit(1)


@contextlib.contextmanager
def _ended_by_ctrl_c(*, already: bool) -> Iterator[None]:
    """Ctrl-C gets a sentence of its own. What was started has been stopped by then, by whoever started it."""
    try:
        yield
    except KeyboardInterrupt:
        if already:
            said = "what ran before goes on running"
        else:
            said = f"everything that was started has been stopped; the data in {state_folder()} stays"
        _stderr.print(f"\nerbium: interrupted: {said}.", markup=False)
        raise typer.Exit(INTERRUPTED) from None


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
    with _ended_by_ctrl_c(already=already):
        running = local_stack.up(state, die_with_parent=False, progress=_progress())
        try:
            development_chain.register(running)
        except BaseException:
            if not already:
                running.stop()
            raise
        _show(telling.described(running, already=already), as_json=as_json, words=telling.at_length)


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
        _show(telling.described(running, already=True), as_json=as_json, words=telling.briefly)
        return
    names = local_stack.running_names(state)
    start = as_called("up")
    said = f"Only {', '.join(names)} runs: {start} starts the rest." if names else f"Not running: {start} starts it."
    _show({"running": False, "processes": names}, as_json=as_json, words=lambda _: said)
    raise typer.Exit(NOT_RUNNING)


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Start everything, play a few days in a chain of two clinics, stop everything. What ran before is used, and left running."""
    import erbium.demo as play

    def tell(line: str) -> None:
        stream = sys.stderr if as_json else sys.stdout
        stream.write(f"{line}\n")
        stream.flush()

    state = state_folder()
    already = local_stack.attach(state) is not None
    with _ended_by_ctrl_c(already=already):
        running = local_stack.up(state, die_with_parent=True, progress=_progress())
        try:
            play.run(running, tell)
        finally:
            if not already:
                running.stop()
    left = (
        f"What ran before runs on; {as_called('down')} stops it."
        if already
        else f"All of it is stopped again; {as_called('up')} keeps it running."
    )
    _show({"played": True, "left_running": already}, as_json=as_json, words=lambda _: f"\nPlayed. {left}")


@app.command()
def token(
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(local_stack.ROLES)}.")] = "doctor",
    chain: Annotated[UUID | None, typer.Option(help="The chain; the one of development unless named.")] = None,
    clinic: Annotated[list[UUID] | None, typer.Option(help="A clinic; may be repeated.")] = None,
    subject: Annotated[UUID | None, typer.Option(help="Who it is; always the same person of that role unless named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a bearer token for development; it is valid for 12 hours."""
    if role not in local_stack.ROLES:
        raise typer.BadParameter(f"{role} is not a role: use one of {', '.join(local_stack.ROLES)}.")
    running = local_stack.attach(state_folder())
    if running is None:
        raise LocalServerError(f"Tokens name an issuer that runs: start it with {as_called('up')}.")
    minted = running.token(role, chain=chain, clinics=clinic, subject=subject)
    described = {"role": role, "chain": str(chain or running.chain), "token": minted, "valid_hours": telling.token_hours()}
    _show(described, as_json=as_json, words=lambda _: minted)


@app.command()
def servers(as_json: AsJson = False) -> None:
    """Start PostgreSQL and Kafka alone, leave them running, and print how to reach them."""
    state = state_folder()
    attached = local_servers.attach(state)
    with _ended_by_ctrl_c(already=attached is not None):
        found = attached or local_servers.start(state, die_with_parent=False, progress=_progress())
    described = {"postgres_url": found.postgres_url, "kafka": found.kafka}
    exports = f"export ERBIUM_POSTGRES_URL={shlex.quote(found.postgres_url)} ERBIUM_KAFKA={shlex.quote(found.kafka)}"
    _show(described, as_json=as_json, words=lambda _: exports)


def _show(described: dict[str, Any], *, as_json: bool, words: Callable[[dict[str, Any]], str]) -> None:
    sys.stdout.write((json.dumps(described, indent=2) if as_json else words(described)) + "\n")
