"""The report of one treatment: HTML to read and print, or the density map alone as SVG."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from device_telemetry.report.density_map import density_map_svg
from device_telemetry.report.page import report_html
from device_telemetry.report.reading import contents_of
from device_telemetry.rulebook import RULES
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
    answers=("text/html", SVG),
    response_example='<!doctype html><html lang="en">…</html>',
)
async def get_report(call: Call, treatment_id: UUID, request: Request) -> Response:
    """The report of one treatment, made from the stored frames as they are now.

    Answered as text/html, or as image/svg+xml (the density map alone) to a request that accepts only that. It fetches nothing.
    """
    async with call.reading() as conn:
        contents = await contents_of(call.runtime, conn, call.principal.chain_id, treatment_id, RULES)
    name = f"treatment-{contents.binding.on.isoformat()}-{treatment_id}"
    if _wants_svg(request.headers.get("accept", "")):
        return Response(density_map_svg(contents.binding, contents.frames.cells), media_type=SVG, headers=_headers(f"{name}.svg"))
    return Response(report_html(contents), media_type="text/html", headers=_headers(f"{name}.html"))


def _headers(name: str) -> dict[str, str]:
    """`name`: under which a browser files it."""
    return {**SAFE, "Content-Disposition": f'inline; filename="{name}"'}


def _wants_svg(accept: str) -> bool:
    """The first type named decides; a browser names text/html first."""
    return accept.partition(",")[0].partition(";")[0].strip() == SVG
