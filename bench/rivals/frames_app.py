"""The usual way in for readings: FastAPI, a list of pydantic models, one Kafka record per reading, answered when all are acknowledged.

It has no token, looks nothing up, and keeps no ranges: less is asked of it than of ours. Its readings come as a JSON list of objects.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import TypeAdapter
from starlette.requests import Request

from bench.rivals.bodies import FrameBody

TOPIC = "bench.rival.readings"
READINGS = TypeAdapter(list[FrameBody])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One producer, acknowledged by all replicas, as ours."""
    app.state.producer = AIOKafkaProducer(bootstrap_servers=os.environ["RIVAL_KAFKA"], acks="all", linger_ms=2, compression_type="zstd")
    await app.state.producer.start()
    yield
    await app.state.producer.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/devices/{device_id}/readings", status_code=202)
async def take(device_id: UUID, request: Request) -> dict[str, int]:
    """All of them, or none is answered for."""
    readings = READINGS.validate_json(await request.body())
    producer: AIOKafkaProducer = request.app.state.producer
    key = device_id.bytes
    waiting = [await producer.send(TOPIC, one.model_dump_json().encode(), key=key) for one in readings]
    await asyncio.gather(*waiting)
    return {"accepted": len(readings)}
