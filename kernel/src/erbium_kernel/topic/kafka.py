"""Kafka behind the two ports: `kafka_outlet` sends, `kafka_inlet` reads (`share` is its part of the group), `calm` bounds their log lines.

Beside them `kafka_past` reads a topic once to its end, and `declared` creates the topics: nothing outside this folder knows aiokafka.
Every rule there answers a trap of aiokafka 0.14 that was run into; each has its reason beside it.
"""

from erbium_kernel.topic.calm import calm_aiokafka
from erbium_kernel.topic.kafka_inlet import KafkaInlet, StuckConsumer
from erbium_kernel.topic.kafka_outlet import KafkaOutlet

__all__ = ["KafkaInlet", "KafkaOutlet", "StuckConsumer", "calm_aiokafka"]
