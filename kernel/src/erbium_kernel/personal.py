"""Personal data in events: open in a command's hands, sealed everywhere else, gone after the erasure."""

from dataclasses import dataclass
from uuid import UUID


class PersonalData:
    """The type that an event field holding a name, birth date, contact or free text declares."""

    __slots__ = ()


class Personal(PersonalData):
    """Readable text about one person; the codec seals it with that person's key when the event is appended.

    Why: not a dataclass, or the JSON encoder would write its text without asking the codec.
    """

    __slots__ = ("subject_id", "text")

    def __init__(self, subject_id: UUID, text: str) -> None:
        """`subject_id` is the person whom the text is about."""
        self.subject_id = subject_id
        self.text = text

    def __eq__(self, other: object) -> bool:
        """By value."""
        return isinstance(other, Personal) and (self.subject_id, self.text) == (other.subject_id, other.text)

    def __hash__(self) -> int:
        """By value."""
        return hash((self.subject_id, self.text))

    def __repr__(self) -> str:
        """Never the text: a repr ends up in logs."""
        return f"Personal({self.subject_id}, …)"


@dataclass(frozen=True, slots=True)
class Sealed(PersonalData):
    """The stored form, copied verbatim by relay, intake and projections. AES-256-GCM, AAD = chain | subject | v."""

    v: int
    subject_id: UUID
    nonce: str
    ciphertext: str


@dataclass(frozen=True, slots=True)
class Redacted(PersonalData):
    """What is left of a personal value after its person was erased."""

    subject_id: UUID
