"""What has been heard of a laser."""

from dataclasses import dataclass
from uuid import UUID

from erbium_kernel.event import EventTable, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class LaserInstalled:
    """The laser stands at this clinic and offers these modalities; replaces where it stood before."""

    device_id: UUID
    clinic_id: UUID
    model: str
    modalities: tuple[str, ...]


LaserEvent = LaserInstalled

EVENTS = EventTable({"laser-installed": Stored(record=LaserInstalled)})
