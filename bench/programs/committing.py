"""Screening's whole process, with a writer inside in the place of its HTTP door, which would not bear every rate.

`POST /commit?per_second=…&seconds=…` answers when all are committed: whose facts they were, and how late the writer began the latest.
"""

import asyncio
import os
import time
from typing import Any
from uuid import UUID, uuid4

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.history import a_life
from bench.http_load import at_rate
from bench.stages import registered
from erbium_kernel.driver import Driver
from erbium_kernel.observing.logs import configure_logs
from erbium_kernel.observing.serving import serving
from erbium_kernel.roles import work_roles
from erbium_kernel.running import Running, running
from erbium_kernel.settings import Settings
from screening.wiring import SERVICE


async def main() -> None:
    """Until it is told to end."""
    settings, stop = Settings(), asyncio.Event()
    configure_logs(service=SERVICE.name, role="all", level=settings.log_level)
    for number in (2, 15):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(SERVICE, settings, api=True, work=True) as opened:
        driving = asyncio.create_task(Driver(work_roles(opened), opened.wake, opened.runtime.clock).run(stop))
        async with serving(_app(opened), settings.http_host, settings.http_port):
            await stop.wait()
        await driving


def _app(opened: Running) -> Starlette:
    chain, clinic = UUID(os.environ["BENCH_CHAIN"]), UUID(os.environ["BENCH_CLINIC"])
    data = a_life(SERVICE, clinic)[0][1]

    async def commit(request: Request) -> JSONResponse:
        patients: list[str] = []

        async def once(_: int) -> None:
            patient_id = uuid4()
            patients.append(str(patient_id))
            await opened.runtime.store.append(registered(opened, chain, clinic, patient_id, data))

        cpu_s, begun = time.process_time(), time.perf_counter()
        count, failed = await at_rate(float(request.query_params["per_second"]), float(request.query_params["seconds"]), once)
        told: dict[str, Any] = {"patients": patients, "count": count, "failed": dict(failed)}
        return JSONResponse({**told, "took_s": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu_s})

    return Starlette(routes=[Route("/commit", commit, methods=["POST"]), Route("/readyz", lambda _: JSONResponse({}))])


if __name__ == "__main__":
    uvloop.run(main())
