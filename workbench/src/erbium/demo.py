"""`erbium demo`: the journey on a running stack, told as it goes."""

import uuid
from collections.abc import Callable
from datetime import timedelta

from erbium.journey.clinic import Clinic, JourneyFailed
from erbium.journey.play import Outcome, play
from erbium.journey.scene import MADRID
from erbium.journey.story import Story
from erbium.servers import LocalServerError
from erbium.stack import Stack, running_names
from erbium.stack_files import log_file

NAMES = ("Ana Deferred", "Berta Treated")


def run(stack: Stack, progress: Callable[[str], None], *, names: tuple[str, str] = NAMES) -> Outcome:
    """Plays the journey in a chain of its own, so that it works again on the same state.

    Raises: LocalServerError that names the step and where the logs are.
    """
    chain, clinics = uuid.uuid4(), [uuid.uuid4(), uuid.uuid4()]

    def mint(role: str, chain_id: uuid.UUID, clinic_ids: list[uuid.UUID], subject: uuid.UUID) -> str:
        return stack.token(role, chain=chain_id, clinics=clinic_ids, subject=subject)

    urls = {name: endpoint.url for name, endpoint in stack.services.items()}
    with Clinic(urls, mint, chain, clinics) as clinic:
        try:
            return play(clinic, Story(progress, clinic.now, MADRID), stack.state / "reports", names)
        except JourneyFailed as failed:
            raise LocalServerError(f"The journey failed at {failed}\n{_where_to_look(stack, failed)}") from failed
        finally:
            _back_to_now(clinic)


def _where_to_look(stack: Stack, failed: JourneyFailed) -> str:
    """The log file of the service that answered otherwise, or of the processes that have ended."""
    ended = sorted(set(stack.services) - set(running_names(stack.state)))
    if ended:
        return f"Ended meanwhile: {', '.join(ended)}. Its own story is in {', '.join(str(log_file(stack.state, name)) for name in ended)}."
    if failed.service:
        return f"What {failed.service} says about it is in {log_file(stack.state, failed.service)}."
    return f"The services' own story is in {stack.state / 'logs'}."


def _back_to_now(clinic: Clinic) -> None:
    """What is left running shows the real time again."""
    try:
        clinic.set_time(timedelta())
    except JourneyFailed:
        return  # a service that is gone has nothing to set
