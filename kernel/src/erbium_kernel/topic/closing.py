"""Ends Kafka clients within seconds, whether the broker answers or not, and leaves nothing of them running."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

CLOSE_SECONDS: Final = 3.0
COORDINATOR_TASKS: Final = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")

log = logging.getLogger(__name__)


async def closed(closing: Awaitable[Any]) -> bool:
    """Whatever it takes, it is given no longer than this. False if it did not come to its end.

    Why a cancellation may be none of ours: the library cancels tasks of its own and waits for them, and theirs then comes up here.
    """
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await closing
    except (KafkaError, TimeoutError, OSError) as error:
        log.warning("a Kafka client did not close cleanly: %s", type(error).__name__)
        return False
    except asyncio.CancelledError:
        if _we_are_cancelled():
            raise
        log.warning("a Kafka client did not close cleanly: it cancelled itself")
        return False
    return True


def _we_are_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def consumer_closed(consumer: AIOKafkaConsumer) -> None:
    """Leaves the group if the broker answers in time.

    Why not only `stop()`: cut short, it leaves the heartbeat running, which holds the partitions for a reader that is no more, for minutes;
    and asked a second time it does nothing.
    """
    if await closed(consumer.stop()):
        return
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    tasks = [getattr(coordinator, name, None) for name in COORDINATOR_TASKS]
    tasks += [fetcher._fetch_task, *fetcher._pending_tasks] if fetcher is not None else []
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=CLOSE_SECONDS)
    await closed(consumer._client.close())
