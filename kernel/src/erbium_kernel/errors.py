"""What can go wrong, as one tree; a docstring's first paragraph is its default sentence, its slug the machine word."""

from typing import ClassVar, Self

type_of_fact = str | int | float | bool | None | list[str]


class Rejected(Exception):
    """A rule said no."""

    slug: ClassVar[str] = "rejected"
    status: ClassVar[int] = 409  # of the HTTP answer
    title: ClassVar[str] = ""  # the slug in words where this is empty
    do: ClassVar[str] = "Read the reasons, change the request, and send it under a new Idempotency-Key."

    def __init__(self, detail: str | None = None, **facts: type_of_fact) -> None:
        """Promise: `detail` and `facts` hold ids, dates and numbers only, never personal data: they are stored and shown."""
        self.detail = detail or self.sentence()
        self.facts = facts
        self.replayed = False
        super().__init__(self.detail)

    @classmethod
    def sentence(cls) -> str:
        """What it says where an occurrence says nothing of its own: the first paragraph of the docstring."""
        return " ".join((cls.__doc__ or cls.__name__).partition("\n\n")[0].split())

    @classmethod
    def heading(cls) -> str:
        """What this kind of refusal is called: short, and the same at every occurrence."""
        return cls.title or cls.slug.rpartition(".")[2].replace("-", " ").capitalize()

    @classmethod
    def named(cls, slug: str, detail: str | None = None, **facts: type_of_fact) -> "Rejected":
        """The refusal that once was answered under this slug, for the repeated answer."""
        for kind in cls.family():
            if kind.slug == slug:
                return kind(detail, **facts)
        refusal = Rejected(detail, **facts)
        refusal.slug = slug  # type: ignore[misc]  # a class that was renamed since still answers under its stored slug
        return refusal

    @classmethod
    def family(cls) -> list[type[Self]]:
        """This class and all classes below it."""
        found: list[type[Self]] = [cls]
        for kind in cls.__subclasses__():
            found.extend(kind.family())
        return found


class NotFound(Rejected):
    """There is no such thing in this chain."""

    slug = "not-found"
    status = 404
    do = "Check the id; things of another chain are not shown. Just written? Ask again with Erbium-After and the id the answer named."


class ReferenceNotFound(Rejected):
    """The request names something that does not exist in this chain.

    The fact `pointer` (JSON Pointer into the body) or `parameter` (of the query) says where; what another chain has looks just the same.
    """

    slug = "reference-not-found"
    status = 422
    do = "Correct the id at the place that `errors` names. Made a moment ago in another service? Then send the same request again."


class VersionConflict(Exception):
    """Somebody else changed this a moment ago, three times in a row."""


class StreamFull(Exception):
    """This record has reached its bounded length; it has to be closed and continued under a new id.

    Why no Rejected: a refusal is handled and forgotten, and what could not be written here may protect somebody.
    """


class Stale(Exception):
    """The version named in If-Match is not the current one."""

    def __init__(self, current: int) -> None:
        """Units: `current` is a stream version."""
        self.current = current
        super().__init__(f"the current version is {current}")


class GuardRefused(Exception):
    """A resource or a name that the command wants is taken."""

    def __init__(self, guard: str) -> None:
        """`guard` is the resource id or the unique name that was refused."""
        self.guard = guard
        super().__init__(f"taken: {guard}")


class AlreadyAnswered(Exception):
    """Another attempt with the same Idempotency-Key committed first; its answer is to be rendered again."""


class KeyReused(Exception):
    """This Idempotency-Key was used before with another body."""


class Undecodable(Exception):
    """A stored event or a message breaks its contract, or is of a version that this code does not know."""


class LostLease(Exception):
    """Another worker moved this checkpoint; start again from where it is now."""


class Unavailable(Exception):
    """The database or the broker cannot be reached in time."""


class NotHereYet(Unavailable):
    """What this one row or command needs has yet to arrive; nobody else has to wait for it."""


class KeyNotHere(NotHereYet):
    """This patient's key has not arrived here yet."""


class PersonErased(Rejected):
    """This person's data has been erased for good."""

    slug = "person-erased"
    do = "Nothing can be recorded about an erased person; register the person anew."
