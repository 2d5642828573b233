"""The floor of the frames path: an application that reads a batch with the service's own codec, and answers. No token, nothing sent on."""

import os

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from device_telemetry.frames.codec import read_batch


async def take(request: Request) -> Response:
    """Decoded, every field in its range, then forgotten."""
    batch = read_batch(await request.body())
    return Response(str(len(batch.frames)), 202)


app = Starlette(
    routes=[
        Route("/v1/devices/{device_id}/frames", take, methods=["POST"]),
        Route("/readyz", lambda _: Response("ready")),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["ERBIUM_HTTP_PORT"]), log_level="error", access_log=False, lifespan="off")
