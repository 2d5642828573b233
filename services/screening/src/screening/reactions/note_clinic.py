"""A clinic's zone is kept in a stream of our own: local dates decide, and decisions read own streams."""

from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To
from screening.clinic.commands import NoteClinic
from screening.deciders import CLINIC
from screening.heard import ClinicRegistered


def react(_: Envelope, heard: ClinicRegistered) -> To:
    """Note it."""
    return To(CLINIC, heard.clinic_id, NoteClinic(clinic_id=heard.clinic_id, time_zone=heard.time_zone))


REACTION = Reaction(name="screening.note-clinic", hears=frozenset({"erbium.scheduling.clinic-registered"}), react=react)
