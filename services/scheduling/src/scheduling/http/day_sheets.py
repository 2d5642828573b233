"""Day sheets: the visits of a clinic on one of its days, and one visit by its id alone."""

from datetime import date
from typing import Any
from uuid import UUID

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Call, Opener, Page, Paging, Routes
from scheduling.http import examples
from scheduling.http.itinerary_views import VisitView
from scheduling.projections import patients, visits

routes = Routes(tag="visits")
LISTED = {**examples.VISIT, "patient_name": "Ann Other", "version": None}


@routes.query(
    "GET",
    "/clinics/{clinic_id}/visits",
    name="listVisits",
    scope="scheduling:read",
    summary="List the visits of a clinic on one day",
    response=Page[VisitView],
    response_example={"items": [LISTED], "next_cursor": None},
)
async def list_visits(call: Call, paging: Paging, clinic_id: UUID, on: date) -> Page[Any]:
    """By their start; `on` is the clinic's local date."""
    call.at_clinic(clinic_id)
    async with call.reading() as conn:
        rows = await visits.list_visits(conn, clinic_id, on, paging.after, paging.limit + 1)
        names = await patients.sealed_names(conn, [row["patient_id"] for row in rows])
    opener = await call.opener(list(names.values()))
    return paging.page([_view(row, names, opener) for row in rows], key=lambda visit: (visit.starts_at, visit.visit_id))


@routes.query(
    "GET",
    "/visits/{visit_id}",
    name="findVisit",
    scope="scheduling:read",
    summary="Find a visit by its id alone",
    response=VisitView,
    response_example=LISTED,
)
async def find_visit(call: Call, visit_id: UUID) -> VisitView:
    """It may be a moment behind; `patient_id` leads to the itinerary, which never is."""
    async with call.reading() as conn:
        row = await visits.get_visit(conn, visit_id)
        if row is None:
            raise NotFound("There is no such visit in this chain.")
        call.at_clinic(row["clinic_id"])
        names = await patients.sealed_names(conn, [row["patient_id"]])
    return _view(row, names, await call.opener(list(names.values())))


def _view(row: dict[str, Any], names: dict[UUID, dict[str, Any]], opener: Opener) -> VisitView:
    values = {name: value for name, value in row.items() if name != "chain_id"}
    return VisitView(patient_name=opener(names.get(row["patient_id"])), **values)
