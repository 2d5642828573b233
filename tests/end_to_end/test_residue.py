"""What an attacker with old copies can read: everything while the old master exists, nothing when it is destroyed."""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erbium import development_chain
from erbium.journey.clinic import Clinic
from erbium.journey.people import Person
from erbium.stack import Stack
from erbium_kernel.destroying import SETTLED_SECONDS
from erbium_kernel.vault import OPEN_KEY_SECONDS
from erbium_kernel.wrapping import master_of
from tests.end_to_end.attacker import Copies, masters_of, opened
from tests.end_to_end.scanning import a_name, keys_of, until
from tests.workbench.calling import erbium

SPREAD_SECONDS_MAX = 60.0
COPIES_SECONDS_MAX = 60.0
BORN = "1979-11-23"


@pytest.fixture
def clinic(stack: Stack) -> Iterator[Clinic]:
    """The chain of development."""
    development_chain.register(stack)
    urls = {name: endpoint.url for name, endpoint in stack.services.items()}

    def mint(role: str, chain: uuid.UUID, clinics: list[uuid.UUID], subject: uuid.UUID) -> str:
        return stack.token(role, chain=chain, clinics=clinics, subject=subject)

    with Clinic(urls, mint, stack.chain, list(stack.clinics)) as made:
        yield made


def said(stack: Stack, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and the lines in JSON."""
    code, out, err = erbium("keys", *arguments, "--json", state=stack.state)
    assert code in (0, 1), err
    return code, [json.loads(line) for line in out.splitlines()]


def wrapped_by(stack: Stack, person: Person) -> set[str]:
    """The masters that wrap this person's key, in all services that have it; empty until all four do."""
    found = [keys_of(stack, service).get(person.patient_id) for service in stack.services]
    return {master_of(key[1]) for key in found if key and key[1]} if all(found) else set()


def erased_everywhere(stack: Stack, person: Person) -> bool:
    """In all four registers."""
    return all(keys_of(stack, service).get(person.patient_id) == (True, None) for service in stack.services)


def test_nothing_is_left_for_an_attacker(stack: Stack, clinic: Clinic, tmp_path: Path) -> None:
    """Copies from before an erasure yield the name until the old master is destroyed, then nothing; the living are read all along."""
    gone, stays = (Person(clinic, clinic.clinics[0], f"{a_name()} {a_name()}") for _ in range(2))
    for person in (gone, stays):
        person.register(BORN)
        until(SPREAD_SECONDS_MAX, lambda person=person: len(wrapped_by(stack, person)) == 1)
    (old,) = wrapped_by(stack, gone)
    before = Copies.taken(stack, tmp_path / "before")
    gone.record("erasure", role="privacy_officer", expect=200)
    until(SPREAD_SECONDS_MAX, lambda: erased_everywhere(stack, gone))

    def reads(copies: Copies, person: Person, masters: dict[str, bytes]) -> dict[str, set[str]]:
        return opened(copies, masters, stack.chain, person.patient_id)

    # The erasure alone leaves the copies as they are: the attacker reads them, in each of the kinds.
    with_all = reads(before, gone, masters_of(stack))
    assert {gone.name, BORN} <= with_all.keys()
    assert with_all[gone.name] == {"dumps", "postgres", "kafka"}

    code, lines = said(stack, "rotate-master", "all")
    assert (code, [line["service"] for line in lines if line.get("complete")]) == (0, [name.replace("_", "-") for name in stack.services])
    (new,) = [line["made"] for line in lines if "made" in line]
    until(SPREAD_SECONDS_MAX, lambda: wrapped_by(stack, stays) == {new})
    assert reads(before, gone, masters_of(stack)) == with_all, "the rotation alone takes nothing from the attacker"

    assert said(stack, "destroy-master", new)[0] == 1
    code, (refusal,) = said(stack, "destroy-master", old)
    assert code == 1
    assert "Backups" in refusal["error"] or "may not have seen" in refusal["error"]
    assert old in masters_of(stack)
    until(SETTLED_SECONDS + COPIES_SECONDS_MAX, lambda: said(stack, "destroy-master", old, "--backups-expired", "--dry-run")[0] == 0)
    kept = masters_of(stack)
    assert said(stack, "destroy-master", old, "--backups-expired") == (0, [{"destroyed": old}])

    left = masters_of(stack)
    assert (old in left, new in left) == (False, True)
    assert reads(before, gone, left) == {}
    assert reads(before, stays, left) == {}, "a backup from before the rotation is closed to everybody"
    assert reads(before, gone, kept) == with_all, "it is the master that is missing, and nothing else"
    after = Copies.taken(stack, tmp_path / "after")
    assert reads(after, gone, left) == {}
    assert stays.name in reads(after, stays, left), "who lives has a key under the new master, so this attacker can read at all"

    time.sleep(OPEN_KEY_SECONDS)  # no service has an opened key of before any more
    assert clinic.get("screening", f"/v1/patients/{stays.patient_id}", role="front_desk").body["name"] == stays.name
    clinic.get("screening", f"/v1/patients/{gone.patient_id}", role="front_desk", expect=404)


def test_masters_are_listed(stack: Stack) -> None:
    """Each with its age and how many living keys it wraps in each service; the youngest wraps new ones."""
    code, masters = said(stack, "list")
    assert code == 0
    assert [master["youngest"] for master in masters] == [False] * (len(masters) - 1) + [True]
    assert set(masters[0]["wraps"]) == {name.replace("_", "-") for name in stack.services}
    assert erbium("keys", "rotate-master", "nobody", state=stack.state)[0] == 2
    code, lines = said(stack, "rotate-master", "aftercare", "--dry-run")
    assert (code, lines[0]["dry_run"], said(stack, "list")[1] == masters) == (0, True, True)
