"""Screening with its door open, at a reception that knows one clinic and keeps the patients' ETags."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from screening.http import examples
from tests.house import House

DOCTOR = UUID(examples.DOCTOR_ID)
MORNING = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@dataclass
class Reception(House):
    """One chain's screening."""

    admin_url: str = field(kw_only=True)
    etags: dict[str, str] = field(default_factory=dict)

    async def hear_of_the_clinic(self) -> None:
        """Scheduling has registered it."""
        await self.hear("erbium.scheduling.clinic-registered", clinic_id=examples.CLINIC_ID, time_zone="Europe/Madrid")
        await self.follow()

    def headers(self, **token: Any) -> dict[str, str]:
        """Authorization by a fresh token of the doctor, unless told otherwise."""
        return super().headers(**({"subject": DOCTOR} | token))

    async def post(
        self, path: str, body: Any = None, *, if_match: str | None = None, key: str | None = None, **token: Any
    ) -> httpx.Response:
        """A command under a new key; a change of a patient with the ETag last seen."""
        patient = path.split("/")[2] if path.count("/") > 1 else ""
        answer = await super().post(path, body, if_match=if_match or self.etags.get(patient), key=key, **token)
        if answer.is_success:
            self.etags[patient or answer.json()["patient_id"]] = answer.headers["etag"]
        return answer

    async def everything_stored(self) -> str:
        """All rows of all tables of this database, as a superuser's dump would show them."""
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        connection = await asyncpg.connect(self.admin_url, timeout=10)
        try:
            names = [row["table_name"] for row in await connection.fetch(tables)]
            assert {"log", "keys", "patients", "clearances"} <= set(names)
            return "\n".join([str([row[0] for row in await connection.fetch(f'SELECT t::text FROM "{name}" t')]) for name in names])
        finally:
            await connection.close()
