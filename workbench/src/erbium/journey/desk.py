"""The front desk's ways: find and book, open a treatment, and wait until another service has acted."""

import time
from datetime import date
from typing import Any

from erbium.journey.clinic import Clinic, JourneyFailed, Reply
from erbium.journey.people import Person


class Desk:
    """Small repeated things of the journey."""

    def __init__(self, clinic: Clinic) -> None:
        """On this clinic's connections."""
        self.clinic = clinic

    def hop(self, person: Person, reply: Reply) -> float:
        """Until scheduling has acted on the fact."""
        return self.timed(lambda: person.itinerary(after=reply.message).status)

    def hop_erased(self, person: Person, reply: Reply) -> float:
        """Until scheduling knows the patient no more, ms."""
        path = f"/v1/patients/{person.patient_id}/itinerary"
        return self.timed(lambda: self.clinic.get("scheduling", path, role="front_desk", after=reply.message, expect=404).status)

    def timed(self, look: Any) -> float:
        """Waits until `look` finds something; ms."""
        started = time.perf_counter()
        self.clinic.wait_for("what another service does", look)
        return (time.perf_counter() - started) * 1000

    def slot(self, clinic_id: Any, kind: str, on: date, **wanted: Any) -> dict[str, Any]:
        """The first free slot of that day."""
        query = {"clinic_id": str(clinic_id), "kind": kind, "from": on.isoformat(), "to": on.isoformat(), "slots_max": 1, **wanted}
        found = self.clinic.wait_for(
            "a free slot", lambda: self.clinic.get("scheduling", "/v1/slots", role="front_desk", **query).body["items"]
        )
        slot: dict[str, Any] = found[0]
        return slot

    def book(self, person: Person, clinic_id: Any, kind: str, on: date, **wanted: Any) -> dict[str, Any]:
        """Finds, holds, books."""
        slot = self.slot(clinic_id, kind, on, **{name: value for name, value in wanted.items() if name == "modality"})
        path = f"/v1/patients/{person.patient_id}"
        held = self.clinic.post("scheduling", f"{path}/holds", person.hold(slot, kind=kind, **wanted), role="front_desk")
        booked = self.clinic.post("scheduling", f"{path}/visits", {"hold_id": held.body["hold_id"]}, role="front_desk")
        visit: dict[str, Any] = booked.body
        return visit

    def open_treatment(self, body: dict[str, Any]) -> Reply:
        """The first heartbeat of screening may still be on its way."""
        found: Reply = self.clinic.wait_for("screening's heartbeat", lambda: self._try_open(body))
        return found

    def _try_open(self, body: dict[str, Any]) -> Reply | None:
        try:
            return self.clinic.post("device_telemetry", "/v1/treatments", body, role="nurse")
        except JourneyFailed as failed:
            if failed.code != "telemetry.screening-stale":
                raise
            return None

    def started(self, path: str, missing: int) -> dict[str, Any] | None:
        """The treatment, once all that was sent is counted and this many frames are missing."""
        view: dict[str, Any] = self.clinic.get("device_telemetry", path, role="nurse").body
        return view if view["started_at"] and view["totals"] and view["missing_frames"] == missing else None

    def phase(self, path: str, phase: str) -> dict[str, Any] | None:
        """The treatment, once it is in this phase."""
        view: dict[str, Any] = self.clinic.get("device_telemetry", path, role="nurse").body
        return view if view["phase"] == phase else None

    def plan_on(self, path: str, basis: str) -> dict[str, Any] | None:
        """The care plan, once it stands on this basis."""
        view: dict[str, Any] = self.clinic.get("aftercare", path, role="nurse").body
        return view if view["basis"] == basis else None

    def check_in(self, path: str) -> bool:
        """Has the day-1 check-in been opened?"""
        days = self.clinic.get("aftercare", f"{path}/check-ins", role="nurse").body["items"]
        return any(day["day"] == 1 and day["opened_on"] for day in days)
