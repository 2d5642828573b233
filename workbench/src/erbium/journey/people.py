"""Patients as the clinic's software keeps track of them: id, and the last version seen of record and itinerary."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from erbium.journey.clinic import Clinic, JourneyFailed, Reply

NO_TO_EVERYTHING = {
    "pregnancy": "no", "cold_sore_now": "no", "cold_sore_history": "no", "isotretinoin": "never", "sun_exposure": "none",
    "keloid_tendency": "no", "peeling": "no", "botulinum_toxin": "no", "filler": "no", "biorevitalisation": "no", "waxing": "no",
}  # fmt: skip
STALE_TRIES_MAX = 5


@dataclass(slots=True)
class Person:
    """One patient. `record_etag` is the version of the screening record last seen."""

    clinic: Clinic
    clinic_id: uuid.UUID
    name: str
    patient_id: uuid.UUID = field(default_factory=uuid.uuid4)
    record_etag: str = ""

    def register(self, birth_date: str) -> Reply:
        """Becomes a patient of the chain."""
        body = {
            "patient_id": str(self.patient_id),
            "clinic_id": str(self.clinic_id),
            "name": self.name,
            "birth_date": birth_date,
            "contact": f"{self.name.split()[0].lower()}@{self.name.split()[-1].lower()}.example",
        }
        reply = self.clinic.post("screening", "/v1/patients", body, role="front_desk")
        self.record_etag = reply.etag
        return reply

    def record(self, what: str, body: dict[str, Any] | None = None, *, role: str = "doctor", expect: int = 201) -> Reply:
        """Adds to the screening record, on the version last seen; a version that others moved is read again."""
        path = f"/v1/patients/{self.patient_id}"
        full = {"clinic_id": str(self.clinic_id), **(body or {})}
        for _ in range(STALE_TRIES_MAX):
            try:
                reply = self.clinic.post("screening", f"{path}/{what}", full, role=role, expect=expect, if_match=self.record_etag)
            except JourneyFailed as failed:
                if failed.status != httpx.codes.PRECONDITION_FAILED:
                    raise
                self.record_etag = self.clinic.get("screening", path).etag
                continue
            self.record_etag = reply.headers.get("etag", self.record_etag)
            return reply
        raise JourneyFailed(f"the record of {self.patient_id} changed {STALE_TRIES_MAX} times in a row")

    def answer(self, **but: str) -> Reply:
        """Answers the questionnaire, everything with no unless named."""
        answers = [{"question": question, "value": value} for question, value in {**NO_TO_EVERYTHING, **but}.items()]
        return self.record("answers", {"answers": answers}, role="front_desk")

    def itinerary(self, after: str | None = None) -> Reply:
        """All visits and what decides about them."""
        return self.clinic.get("scheduling", f"/v1/patients/{self.patient_id}/itinerary", role="front_desk", after=after)

    def visit(self, visit_id: str, after: str | None = None) -> Reply:
        """One visit as it stands now."""
        return self.clinic.get("scheduling", f"/v1/patients/{self.patient_id}/visits/{visit_id}", role="front_desk", after=after)

    def act_on_visit(self, visit_id: str, what: str, body: dict[str, Any] | None = None, *, role: str = "front_desk") -> Reply:
        """Check-in, attestation and the like, on the itinerary's current version."""
        etag = self.visit(visit_id).etag
        path = f"/v1/patients/{self.patient_id}/visits/{visit_id}/{what}"
        return self.clinic.post("scheduling", path, body, role=role, expect=200, if_match=etag)

    def hold(self, slot: dict[str, Any], **wanted: Any) -> dict[str, Any]:
        """The body of a hold on a found slot."""
        place = {name: slot[name] for name in ("clinic_id", "practitioner_id", "room_id", "device_id", "starts_at")}
        return {**place, **wanted}
