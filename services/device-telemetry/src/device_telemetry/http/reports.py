"""The report of one treatment: HTML to read and print, or the density map alone as SVG."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from device_telemetry.frames.consequences import delivered
from device_telemetry.http.treatment_views import phase_of
from device_telemetry.projections.stored_frames import cells, kept
from device_telemetry.report.density_map import density_map_svg
from device_telemetry.report.page import report_html
from device_telemetry.rulebook import RULES
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.refusals import TreatmentUnknown
from device_telemetry.treatment.state import Ended, Settled, Unopened
from erbium_kernel.http import Call, Routes

routes = Routes(tag="reports")

SVG = "image/svg+xml"
SAFE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Vary": "Accept"}


@routes.query(
    "GET",
    "/treatments/{treatment_id}/report",
    name="getTreatmentReport",
    scope="telemetry:read",
    response=str,
    response_example='<!doctype html><html lang="en">…</html>',
)
async def get_report(call: Call, treatment_id: UUID, request: Request) -> Response:
    """The report of one treatment, made from the stored frames as they are now.

    Answered as text/html, or as image/svg+xml (the density map alone) to a request that accepts only that. It fetches nothing.
    """
    state, _ = await call.state_of(TREATMENT, treatment_id)
    if isinstance(state, Unopened):
        raise TreatmentUnknown
    async with call.reading() as conn:
        stored, grid = await kept(conn, treatment_id), await cells(conn, treatment_id)
    if _wants_svg(request.headers.get("accept", "")):
        return Response(density_map_svg(state.binding, grid), media_type=SVG, headers=SAFE)
    finals = state.ended.finals if isinstance(state, Ended | Settled) else ()
    now = delivered(stored, state.binding, finals, RULES.zones.areas_cm2)
    page = report_html(
        state.binding, grid, now.totals, phase=phase_of(state), missing_frames=now.missing_frames,
        provisional=not isinstance(state, Settled) or not now.whole,
    )  # fmt: skip
    return Response(page, media_type="text/html", headers=SAFE)


def _wants_svg(accept: str) -> bool:
    """The first type named decides; a browser names text/html first."""
    return accept.partition(",")[0].partition(";")[0].strip() == SVG
