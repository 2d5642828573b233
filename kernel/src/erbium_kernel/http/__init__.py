"""The HTTP edge: what a service needs to declare its endpoints."""

from erbium_kernel.http.body import Body, Page, View
from erbium_kernel.http.call import Call, Opener
from erbium_kernel.http.paging import Paging
from erbium_kernel.http.problem import Faulty
from erbium_kernel.http.routes import Routes

__all__ = ["Body", "Call", "Faulty", "Opener", "Page", "Paging", "Routes", "View"]
