"""Practitioners: what each may do, where, and when."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Body, Call, Opener, Page, Paging, Routes, View
from erbium_kernel.looking_back import AsRecorded
from scheduling.http import examples
from scheduling.http.places import the_clinic
from scheduling.http.times import OPENINGS_MAX, Opening, OpeningView, hours_of, opening_views
from scheduling.practitioner.commands import LicensePractitioner
from scheduling.practitioner.decide import PRACTITIONER, LaserLicenceNeedsModality
from scheduling.practitioner.state import Practitioner
from scheduling.projections import practitioners
from scheduling.projections.clinics import hours_of as stored_hours
from scheduling.rules import MODALITIES, VISIT_KINDS, Modality, VisitKind

routes = Routes(tag="practitioners")


class LicenceBody(Body):
    """What a practitioner may do at one clinic; replaces what was recorded for that clinic."""

    clinic_id: Annotated[UUID, Field(description="Where the licence holds.")]
    visit_kinds: Annotated[list[VisitKind], Field(min_length=1, max_length=len(VISIT_KINDS), description="Visits that may be held.")]
    modalities: Annotated[
        list[Modality], Field(max_length=len(MODALITIES), description="Lasers that may be used; belongs to the visit kind `laser`.")
    ] = Field(default_factory=list)
    licensed_until: Annotated[date | None, Field(description="The last day of the licence; null: without an end.")] = None
    working_hours: Annotated[list[Opening], Field(min_length=1, max_length=OPENINGS_MAX, description="Of an ordinary week at this clinic.")]


class PractitionerBody(LicenceBody):
    """A practitioner with a first licence."""

    practitioner_id: Annotated[UUID | None, Field(description="The opaque id of the staff directory, or made here; no name is kept.")] = (
        None
    )


class LicenceView(View):
    """What may be done at one clinic."""

    clinic_id: UUID
    visit_kinds: list[str]
    modalities: list[str]
    licensed_until: date | None
    working_hours: list[OpeningView]


class PractitionerView(View):
    """A practitioner with all licences."""

    practitioner_id: UUID
    licences: list[LicenceView]
    version: int | None = Field(default=None, description="For If-Match.")


class ListedLicence(LicenceView):
    """One licence of one practitioner, in a list."""

    practitioner_id: UUID


ONE = {"practitioner_id": examples.PRACTITIONER_ID, "licences": [examples.LICENCE], "version": 1}


def practitioner_view(state: Practitioner, practitioner_id: UUID, _: Opener | None = None, version: int | None = None) -> PractitionerView:
    """A practitioner as recorded."""
    licences = [
        LicenceView(
            clinic_id=clinic_id,
            visit_kinds=list(licence.visit_kinds),
            modalities=list(licence.modalities),
            licensed_until=licence.licensed_until,
            working_hours=opening_views(licence.hours),
        )
        for clinic_id, licence in state.licences.items()
    ]
    return PractitionerView(practitioner_id=practitioner_id, licences=licences, version=version)


@routes.command(
    "POST",
    "/practitioners",
    name="addPractitioner",
    scope="scheduling:manage",
    summary="Record a practitioner with a licence",
    request_example={"practitioner_id": examples.PRACTITIONER_ID, **examples.LICENCE},
    response_example=ONE,
    response=PractitionerView,
    refusals=(LaserLicenceNeedsModality,),
)
async def add_practitioner(call: Call, body: PractitionerBody) -> PractitionerView:
    """What may be done at the clinic, and when the practitioner works there."""
    return await _license(call, body.practitioner_id or call.new_id(), body)


@routes.command(
    "POST",
    "/practitioners/{practitioner_id}/licences",
    name="licensePractitioner",
    scope="scheduling:manage",
    summary="Record or replace a licence of a practitioner at a clinic",
    request_example={**examples.LICENCE, "licensed_until": "2028-12-31"},
    response_example={**ONE, "version": 2},
    response=PractitionerView,
    changes=True,
    refusals=(LaserLicenceNeedsModality,),
)
async def license_practitioner(call: Call, practitioner_id: UUID, body: LicenceBody) -> PractitionerView:
    """At another clinic, or with other rights; booked visits are not touched."""
    async with call.naming(PRACTITIONER, practitioner_id):
        return await _license(call, practitioner_id, body)


async def _license(call: Call, practitioner_id: UUID, body: LicenceBody) -> PractitionerView:
    await the_clinic(call, body.clinic_id, pointer="/clinic_id")
    command = LicensePractitioner(
        practitioner_id=practitioner_id,
        clinic_id=body.clinic_id,
        visit_kinds=tuple(kind for kind in VISIT_KINDS if kind in body.visit_kinds),
        modalities=tuple(modality for modality in MODALITIES if modality in body.modalities),
        licensed_until=body.licensed_until,
        hours=hours_of(body.working_hours),
        at=call.now(),
    )
    location = f"/v1/practitioners/{practitioner_id}"
    return await call.execute(PRACTITIONER, practitioner_id, command, render=practitioner_view, location=location)


@routes.query(
    "GET",
    "/practitioners",
    name="listPractitioners",
    scope="scheduling:read",
    summary="List licences, of one clinic or of all",
    response=Page[ListedLicence],
    response_example={"items": [{"practitioner_id": examples.PRACTITIONER_ID, **examples.LICENCE}], "next_cursor": None},
)
async def list_practitioners(call: Call, paging: Paging, clinic_id: UUID | None = None) -> Page[Any]:
    """One item a practitioner and clinic."""
    async with call.reading() as conn:
        rows = await practitioners.list_licences(conn, clinic_id, paging.after, paging.limit + 1)
    return paging.page([_listed(row) for row in rows], key=lambda item: (item.practitioner_id, item.clinic_id))


def _listed(row: dict[str, Any]) -> ListedLicence:
    return ListedLicence(
        practitioner_id=row["practitioner_id"],
        clinic_id=row["clinic_id"],
        visit_kinds=row["visit_kinds"],
        modalities=row["modalities"],
        licensed_until=row["licensed_until"],
        working_hours=opening_views(stored_hours(row["hours"])),
    )


@routes.query(
    "GET",
    "/practitioners/{practitioner_id}",
    name="getPractitioner",
    scope="scheduling:read",
    summary="Read a practitioner",
    response=PractitionerView,
    response_example={**ONE, "version": 2},
    as_recorded=AsRecorded(decider=PRACTITIONER, by="practitioner_id"),
)
async def get_practitioner(call: Call, practitioner_id: UUID) -> PractitionerView:
    """All licences, at every clinic: always the newest."""
    state, version = await call.state_of(PRACTITIONER, practitioner_id)
    if version == 0:
        raise NotFound("There is no such practitioner in this chain.")
    return practitioner_view(state, practitioner_id, version=version)
