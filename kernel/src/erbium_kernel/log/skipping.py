"""What an operator may skip: the row that holds up its key, by its name, and only while the key waits for him."""

from uuid import UUID

from erbium_kernel.errors import NotFound, Rejected

NOTHING_PARKED = "Nothing is parked under this key: `parked list` shows what is."


def check_skip(event_id: UUID, first: UUID | None, *, released: bool) -> None:
    """`first`: the event of the key's oldest row, None if nothing is parked under it. Raises: NotFound, Rejected, with a sentence.

    Why the event is named: a skip pressed twice would pass over the next row for ever, which nobody has looked at.
    """
    if first is None:
        raise NotFound(NOTHING_PARKED)
    if released:
        raise Rejected("This key is released and its rows are being worked off: if one fails, `parked list` shows it again, and why.")
    if first != event_id:
        raise Rejected(f"{event_id} is not the first row of this key, {first} is: look at that one with `parked inspect`.")
