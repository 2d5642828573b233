"""What goes in and what comes out: bodies are closed, bounded and strict, views are open."""

from functools import cache
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

V = TypeVar("V")

TEXT_CHARACTERS_MAX = 2_000  # of any string in a body that names no bound of its own


class Body(BaseModel):
    """A request body, or a part of one. An unknown field, a number in quotes, NaN or a longer text is refused with 422.

    Give every instant the type `pydantic.AwareDatetime`, every list a `max_length`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=False,  # the edge validates the JSON text in strict mode; code may still build a body from Python values
        allow_inf_nan=False,
        str_max_length=TEXT_CHARACTERS_MAX,
        hide_input_in_errors=True,
        validate_default=True,
    )


class View(BaseModel):
    """An answer. Fields may be added later, so readers ignore what they do not know.

    A field `version: int` is the stream version: it becomes the `ETag`, and a GET answers `If-None-Match` with 304.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Page(View, Generic[V]):
    """One page of a list. `next_cursor` is null on the last one; the page after a full one may be empty."""

    items: list[V]
    next_cursor: str | None = None


@cache
def versioned(view: type[View]) -> type[View]:
    """The view as a command answers it: with the version of what was written, so that the next change can name it."""
    told = view.model_fields.get("version")
    if told is not None and told.annotation is int and told.is_required():
        return view
    version = (int, Field(description="The record's version after this command: the ETag, and what If-Match of the next change names."))
    return create_model(f"Versioned{view.__name__}", __base__=view, __module__=view.__module__, __doc__=view.__doc__, version=version)
