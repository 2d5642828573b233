"""What is known of a clinic."""

from dataclasses import dataclass
from uuid import UUID

from erbium_kernel.event import EventTable, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicNoted:
    """The clinic lives by this time zone (IANA); local dates of what happens there are made in it."""

    clinic_id: UUID
    time_zone: str


EVENTS = EventTable({"clinic-noted": Stored(record=ClinicNoted)})
