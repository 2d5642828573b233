"""What screening says about a patient is appended to the patient's itinerary, in the order in which it was said.

Why one reaction for all of it: its facts about a patient must reach the itinerary in order.
"""

from datetime import date
from typing import Any
from uuid import UUID

from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To
from scheduling import heard
from scheduling.deciders import ITINERARY
from scheduling.itinerary import commands as c

HEARS = frozenset(name for name in heard.HEARD if name.startswith("erbium.screening."))


def react(envelope: Envelope, record: Any) -> To:
    """Fact -> command to the itinerary of its patient; the time of a command is that of its fact."""
    return To(ITINERARY, record.patient_id, _command(envelope, record))


def _command(envelope: Envelope, record: Any) -> c.ItineraryCommand:
    heard_id, at = envelope.event_id, envelope.occurred_at
    match record:
        case heard.PatientRegistered():
            return c.OpenItinerary(patient_id=record.patient_id)
        case heard.PatientErased():
            return c.CloseItinerary(patient_id=record.patient_id)
        case heard.ProcedureReported():
            return c.HearProcedure(
                heard_id=heard_id, procedure_id=record.procedure_id, kind=record.kind, zones=record.zones, on=record.on, at=at
            )
        case heard.ClearanceGranted():
            return _granted(envelope, record)
        case heard.ClearanceDeferred():
            return c.HearVerdict(
                heard_id=heard_id, outcome="DEFERRED", modality=record.modality, zones=record.zones, until=record.until, at=at
            )
        case heard.ClearanceRefused():
            return c.HearVerdict(
                heard_id=heard_id,
                outcome=record.outcome,
                modality=record.modality,
                zones=record.zones,
                until=_ripe(record),
                at=at,
            )
        case _:
            return _changed(envelope, record)


def _granted(envelope: Envelope, record: heard.ClearanceGranted) -> c.HearClearance:
    return c.HearClearance(
        heard_id=envelope.event_id,
        clearance_id=record.clearance_id,
        modality=record.modality,
        zones=record.zones,
        examined_on=record.examined_on,
        granted_on=record.granted_on,
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        at=envelope.occurred_at,
    )


def _changed(envelope: Envelope, record: Any) -> c.HearClearanceChange:
    match record:
        case heard.ClearanceSuspended():
            return _change(envelope, record.clearance_id, "suspended", record.earliest)
        case heard.ClearanceReinstated():
            return _change(envelope, record.clearance_id, "reinstated", None)
        case heard.ClearanceRevoked():
            return _change(envelope, record.clearance_id, "revoked", None)
        case heard.ClearanceExpired():
            return _change(envelope, record.clearance_id, "expired", None)
        case _:
            raise AssertionError(f"a record that the reaction does not hear: {type(record).__name__}")


def _change(envelope: Envelope, clearance_id: UUID, change: Any, earliest: date | None) -> c.HearClearanceChange:
    return c.HearClearanceChange(
        heard_id=envelope.event_id, clearance_id=clearance_id, change=change, earliest=earliest, at=envelope.occurred_at
    )


def _ripe(record: heard.ClearanceRefused) -> date | None:
    """An unmet precondition may have a day before which it cannot be met. A doctor's override has none: it may come today."""
    if record.outcome != "CONDITIONAL":
        return None
    return max((reason.earliest for reason in record.reasons if reason.earliest is not None), default=None)


HEAR_SCREENING = Reaction(name="scheduling.hear-screening", hears=HEARS, react=react)
