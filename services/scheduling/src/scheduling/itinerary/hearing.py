"""What other services said is appended here first, and decides in the same breath what happens to the visits to come."""

from collections.abc import Sequence
from typing import assert_never

from scheduling.itinerary.commands import (
    HearClearance,
    HearClearanceChange,
    HearingCommand,
    HearProcedure,
    HearTreatment,
    HearVerdict,
)
from scheduling.itinerary.events import (
    ClearanceChangeHeard,
    ClearanceHeard,
    HeardEvent,
    ItineraryEvent,
    ProcedureHeard,
    TreatmentHeard,
    VerdictHeard,
)
from scheduling.itinerary.evolve import evolve
from scheduling.itinerary.freezing import reassessed
from scheduling.itinerary.state import Itinerary
from scheduling.rules import Rules


def decide_heard(rules: Rules, command: HearingCommand, state: Itinerary) -> Sequence[ItineraryEvent]:
    """Never refuses: a fact is a fact. A fact heard before changes nothing."""
    if state.closed or command.heard_id in state.heard_ids:
        return []
    if isinstance(command, HearTreatment) and command.treatment_id in state.treatments:
        return []
    heard = _event(command)
    return [heard, *reassessed(rules, evolve(state, heard), command.at)]


def _event(command: HearingCommand) -> HeardEvent:
    match command:
        case HearClearance():
            return ClearanceHeard(
                heard_id=command.heard_id,
                clearance_id=command.clearance_id,
                modality=command.modality,
                zones=command.zones,
                examined_on=command.examined_on,
                granted_on=command.granted_on,
                valid_from=command.valid_from,
                valid_until=command.valid_until,
            )
        case HearClearanceChange():
            return ClearanceChangeHeard(
                heard_id=command.heard_id, clearance_id=command.clearance_id, change=command.change, earliest=command.earliest
            )
        case HearVerdict():
            return VerdictHeard(
                heard_id=command.heard_id, outcome=command.outcome, modality=command.modality, zones=command.zones, until=command.until
            )
        case HearProcedure():
            return ProcedureHeard(
                heard_id=command.heard_id, procedure_id=command.procedure_id, kind=command.kind, zones=command.zones, on=command.on
            )
        case HearTreatment():
            return TreatmentHeard(
                heard_id=command.heard_id,
                treatment_id=command.treatment_id,
                visit_id=command.visit_id,
                clinic_id=command.clinic_id,
                modality=command.modality,
                zones=command.zones,
                on=command.on,
            )
        case _:
            assert_never(command)
