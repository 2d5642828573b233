"""Rivals that are HTTP services, in the rivals' environment, under uvicorn with uvloop and httptools as ours."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from bench.ground import Ground, Running
from erbium.servers.ports import HOST, free_port

ROOT: Final = Path(__file__).parents[2]
READY_SECONDS_MAX: Final = 20.0
END_SECONDS_MAX: Final = 10.0


@asynccontextmanager
async def rival_app(program: str, ground: Ground) -> AsyncIterator[Running | None]:
    """`bench/rivals/<program>.py`, an application `app`, while the block runs. None: no rivals in this run."""
    if ground.rivals is None:
        yield None
        return
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        str(ground.rivals), "-m", "uvicorn", f"bench.rivals.{program}:app", "--host", HOST, "--port", str(port), "--log-level", "error",
        "--no-access-log", cwd=ROOT, env=os.environ | {"RIVAL_URL": ground.rival_url, "RIVAL_KAFKA": ground.servers.kafka},
    )  # fmt: skip
    try:
        await _listening(program, port, child)
        yield Running(name=program, url=f"http://{HOST}:{port}", pid=child.pid)
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            child.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), END_SECONDS_MAX)
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _listening(program: str, port: int, child: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            if child.returncode is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the rival {program} does not start") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
