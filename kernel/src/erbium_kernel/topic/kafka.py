"""Kafka behind the two ports: the one place that knows aiokafka (domain events; `declared.py` creates the topics).

Every rule here answers a trap of aiokafka 0.14 that was run into; each has its reason beside it.
"""

from erbium_kernel.topic.calm import calm_aiokafka
from erbium_kernel.topic.kafka_inlet import KafkaInlet, StuckConsumer
from erbium_kernel.topic.kafka_outlet import KafkaOutlet

__all__ = ["KafkaInlet", "KafkaOutlet", "StuckConsumer", "calm_aiokafka"]
