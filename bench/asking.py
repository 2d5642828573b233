"""Programs that are measured in a process of their own: asked by a line of JSON, they answer with one (see `asked.py`)."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from bench.ground import Ground
from bench.measuring import Measure, Reading

ANSWER_SECONDS_MAX: Final = 80.0
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
END_SECONDS_MAX: Final = 10.0
ROOT: Final = Path(__file__).parent.parent
Ask = Callable[..., Any]
Asking = Callable[..., Measure]


@asynccontextmanager
async def program(module: str, interpreter: str = sys.executable, **given: Any) -> AsyncIterator[Ask]:
    """`python -m bench.<module>` while the block runs; its first line is `given`. `await ask(**what)` is one line and its answer."""
    child = await asyncio.create_subprocess_exec(
        interpreter, "-m", f"bench.{module}", cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES_MAX
    )

    async def ask(**what: Any) -> dict[str, Any]:
        """Raises: RuntimeError if the program has ended."""
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(what).encode() + b"\n")
        line = await asyncio.wait_for(child.stdout.readline(), ANSWER_SECONDS_MAX)
        if not line:
            raise RuntimeError(f"bench.{module} has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    try:
        await ask(**given)
        yield ask
    finally:
        assert child.stdin is not None
        child.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), END_SECONDS_MAX)
        if child.returncode is None:
            child.kill()
            await child.wait()


@asynccontextmanager
async def rival(module: str, ground: Ground, **given: Any) -> AsyncIterator[Asking]:
    """`bench/rivals/<module>.py` in the rivals' environment; `asking(**what)` makes a measure. No rivals in this run: nothing starts."""
    if ground.rivals is None:
        yield _never
        return
    given = {"url": ground.rival_url, "kafka": ground.servers.kafka, **given}
    async with program(f"rivals.{module}", str(ground.rivals), **given) as ask:

        def asking(**what: Any) -> Measure:
            async def measure(seconds: float) -> Reading:
                return Reading(**await ask(seconds=seconds, **what))

            return measure

        yield asking


def _never(**_: Any) -> Measure:
    async def measure(_: float) -> Reading:
        raise AssertionError("no rival was asked for")

    return measure
