"""What is known about a patient, on both clocks: valid on a day, as recorded at an instant."""

from dataclasses import asdict
from datetime import date
from uuid import UUID

from pydantic import Field

from erbium_kernel.clinical_dates import local_date
from erbium_kernel.http import Call, Routes, View
from erbium_kernel.looking_back import AsRecorded
from screening.dated import Kind, valid_on
from screening.deciders import PATIENT
from screening.http import examples
from screening.http.acting import the_patient

routes = Routes(tag="facts")


class DatedFactView(View):
    """One fact with the days on which it holds, both included; null = no such bound is known, so it holds on every day that way."""

    kind: Kind
    says: str = Field(description="In the words of the questionnaire and the rules.")
    zones: list[str]
    valid_from: date | None
    valid_until: date | None
    certainty: str


class KnownFactsView(View):
    """The facts that hold on `as_valid`, the oldest first, those without a first day before them."""

    patient_id: UUID
    patient_version: int
    as_valid: date
    facts: list[DatedFactView]


EXAMPLE = {
    "patient_id": examples.PATIENT_ID, "patient_version": 9, "as_valid": "2026-03-03",
    "facts": [
        {"kind": "procedure", "says": "botulinum_toxin", "zones": ["forehead"], "valid_from": "2026-01-15", "valid_until": None,
         "certainty": "exact"},
    ],
}  # fmt: skip


@routes.query("GET", "/patients/{patient_id}/facts", name="listFacts", scope="screening:read", response=KnownFactsView,
              response_example=EXAMPLE, as_recorded=AsRecorded(decider=PATIENT, by="patient_id"))  # fmt: skip
async def list_facts(call: Call, patient_id: UUID, as_valid: date | None = None) -> KnownFactsView:
    """What is known about a patient that holds on a day, today if absent.

    `as_valid` asks about the days that the facts speak of; `as_recorded` about when they were recorded. Both together: what was known
    then about that day.
    """
    state, version = await the_patient(call, patient_id)
    day = as_valid or local_date(call.now(), state.registration.time_zone)
    facts = [DatedFactView(**asdict(fact) | {"zones": list(fact.zones)}) for fact in valid_on(state.facts, day)]
    return KnownFactsView(patient_id=patient_id, patient_version=version, as_valid=day, facts=facts)
