"""Questions to a broker, through clients of their own.

Why not through the consumer that reads: after a broker's death it may wait for fresh metadata without an end, and a reader that must ask
before it reads would then never come to the poll that finds it out. [seen with aiokafka 0.14, after a broker was killed and came back]
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from erbium_kernel.errors import Unavailable
from erbium_kernel.topic.closing import closed, consumer_closed

ANSWER_SECONDS: Final = 3.0  # for one question, with the way to the broker; one that serves answers in milliseconds


class Asking:
    """What is asked now and then. Use from one task. A client is thrown away with its first failure."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        """`connection`: aiokafka's own options. Nothing is connected yet."""
        self._connection = connection
        self._asker: AIOKafkaConsumer | None = None  # of no group

    async def cluster_id(self) -> str:
        """The id of the cluster at this address, asked anew from the beginning. Raises: Unavailable."""
        admin = AIOKafkaAdminClient(**self._connection)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await admin.start()
                return str((await admin.describe_cluster())["cluster_id"])
        except (KafkaError, TimeoutError, OSError) as error:
            raise Unavailable(f"Kafka: {type(error).__name__}") from error
        finally:
            await closed(admin.close())

    async def end_offsets(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """One past the newest record of each of these partitions. Raises: Unavailable."""
        answered = False
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._asker is None:
                    self._asker = AIOKafkaConsumer(group_id=None, enable_auto_commit=False, **self._connection)
                    await self._asker.start()
                ends: Mapping[TopicPartition, int] = await self._asker.end_offsets(places)
            answered = True
        except (KafkaError, TimeoutError, OSError) as error:
            raise Unavailable(f"Kafka: {type(error).__name__}") from error
        finally:
            if not answered:
                await self.close()
        return ends

    async def close(self) -> None:
        """Within seconds even if the broker is away; another question opens it again."""
        asker, self._asker = self._asker, None
        if asker is not None:
            await consumer_closed(asker)
