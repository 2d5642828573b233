"""Masters as files, and a vault that goes on while they come and go."""

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from erbium_kernel.destroying import BACKUP_DAYS, ROTATION_DAYS, SETTLED_SECONDS, check_age
from erbium_kernel.errors import NotFound, Rejected
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.masters import SecretsMissing, destroy_master, make_master, read_masters, spread_masters
from erbium_kernel.personal import Personal, Sealed
from erbium_kernel.vault import SECRETS_SECONDS, Secrets, Vault
from erbium_kernel.wrapping import master_of
from tests.kernel.ward import WardClock, WardIds

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Of three services, each with a fingerprint and one master that says nothing of its age."""
    made = [tmp_path / name for name in ("aftercare", "scheduling", "screening")]
    for folder in made:
        folder.mkdir()
        for name in ("master-00000001.key", "fingerprint.key"):
            (folder / name).write_text(base64.b64encode(b"m" * 32).decode())
    return made


def ids(folder: Path) -> list[str]:
    """The masters of a folder, the oldest first."""
    return [master.id for master in read_masters(folder)]


def test_the_youngest_is_what_the_files_say(folders: list[Path]) -> None:
    """A date in the file counts, whatever a copy did to the file's time; a file without one is older than all with one."""
    second = make_master(folders, NOW)
    third = make_master(folders, NOW + DAY)
    for n, id_ in enumerate((third, second, "00000001")):  # as a copy in another order would leave them
        os.utime(folders[0] / f"master-{id_}.key", (2_000_000_000 + n, 2_000_000_000 + n))
    assert ids(folders[0]) == ["00000001", second, third]
    assert Secrets.read(folders[0]).current == third
    assert [(folder / f"master-{third}.key").stat().st_mode & 0o777 for folder in folders] == [0o600] * 3


def test_what_is_no_master_is_told(folders: list[Path]) -> None:
    """A name, a date or a length that is wrong is a sentence that names the file, never its content."""
    for name, text in (("master-1.key", "x"), ("master-0000000a.key", "bWFzdGVy"), ("master-0000000b.key", "%%%")):
        path = folders[0] / name
        path.write_text(text)
        with pytest.raises(SecretsMissing, match=name) as told:
            read_masters(folders[0])
        assert text not in str(told.value).replace(name, "").split()
        path.unlink()
    made = folders[0] / f"master-{make_master(folders[:1], NOW)}.key"
    made.write_text(made.read_text().replace("2026", "once"))
    with pytest.raises(SecretsMissing, match="second line"):
        read_masters(folders[0])
    with pytest.raises(SecretsMissing, match="rotate-master"):
        read_masters(folders[0].parent)


def test_a_cut_off_command_is_finished(folders: list[Path]) -> None:
    """A new master that reached one folder is given to all; one that was destroyed in one is destroyed in all, and never comes back."""
    made = make_master(folders[:1], NOW)
    spread_masters(folders)
    assert [ids(folder) for folder in folders] == [["00000001", made]] * 3
    old = (folders[0] / "master-00000001.key").read_text()
    destroy_master(folders[1:2], "00000001")
    spread_masters(folders)
    assert [ids(folder) for folder in folders] == [[made]] * 3
    (folders[0] / "master-00000001.key").write_text(old)  # a backup of the secrets was put back
    assert ids(folders[0]) == [made]
    spread_masters(folders)
    assert not list(folders[0].parent.glob("*/master-00000001.key"))


def test_a_destroyed_master_is_overwritten(folders: list[Path], tmp_path: Path) -> None:
    """Who holds the file open still, by another name, reads no key any more."""
    made = make_master(folders, NOW)
    assert made
    other_name = tmp_path / "link"
    other_name.hardlink_to(folders[0] / "master-00000001.key")
    destroy_master(folders, "00000001")
    assert base64.b64encode(b"m" * 32) not in other_name.read_bytes()
    destroy_master(folders, "00000001")
    assert ids(folders[0]) == [made]


def test_when_a_master_may_go(folders: list[Path]) -> None:
    """Never the youngest; not before every process has seen its successor; not before the backups have expired, unless somebody says so."""

    def refused(master: str, after: timedelta, *, backups_expired: bool = False) -> str:
        with pytest.raises(Rejected) as told:
            check_age(master, folders, NOW + after, backups_expired=backups_expired)
        return told.value.detail

    assert "youngest" in refused("00000001", DAY, backups_expired=True)
    young = make_master(folders, NOW)
    assert "youngest" in refused(young, 100 * DAY, backups_expired=True)
    assert "a process may not have seen it" in refused("00000001", timedelta(seconds=SETTLED_SECONDS - 1), backups_expired=True)
    assert "2026-06-04" in refused("00000001", (ROTATION_DAYS + BACKUP_DAYS) * DAY - timedelta(seconds=1))
    check_age("00000001", folders, NOW + (ROTATION_DAYS + BACKUP_DAYS) * DAY, backups_expired=False)
    check_age("00000001", folders, NOW + timedelta(seconds=SETTLED_SECONDS), backups_expired=True)
    with pytest.raises(NotFound):
        check_age("00000002", folders, NOW, backups_expired=True)


class Rooms:
    """A vault that makes keys and one that hears of them, on folders of their own and one store."""

    def __init__(self, folders: list[Path]) -> None:
        """Both have read their secrets."""
        self.clock = WardClock()
        self.store = MemoryStore(clock=self.clock)
        self.maker, self.hearer = self._vault(folders[2], owns_keys=True), self._vault(folders[0], owns_keys=False)
        self.chain = uuid4()

    def _vault(self, folder: Path, *, owns_keys: bool) -> Vault:
        def reread() -> Secrets:
            return Secrets.read(folder)

        return Vault(self.store, reread(), clock=self.clock, ids=WardIds(self.clock), owns_keys=owns_keys, reread=reread)

    async def sealed(self) -> tuple[Sealed, str]:
        """A name of a new person, and the master that wraps this person's key."""
        person = uuid4()
        seal = await self.maker.sealer(self.chain, person, patient=True)
        key = (await self.store.keys(self.chain, [person]))[person]
        assert key.wrapped is not None
        return seal(Personal(person, "Ana")), master_of(key.wrapped)

    async def opened(self, vault: Vault, value: Sealed) -> object:
        """What this vault makes of it."""
        return (await vault.opener(self.chain, [value.subject_id]))(value)


async def test_a_new_master_is_taken_up_while_the_process_runs(folders: list[Path]) -> None:
    """New keys are wrapped by it within seconds; a service that gets it later waits, keeps the value sealed, and opens it then."""
    rooms = Rooms(folders)
    assert (await rooms.sealed())[1] == "00000001"
    made = make_master(folders[2:], NOW)
    rooms.clock.at += timedelta(seconds=SECRETS_SECONDS)
    value, master = await rooms.sealed()
    assert master == made
    assert await rooms.opened(rooms.hearer, value) == value
    spread_masters(folders)
    rooms.clock.at += timedelta(seconds=1)
    assert await rooms.opened(rooms.hearer, value) == Personal(value.subject_id, "Ana")


async def test_a_destroyed_master_is_forgotten_while_the_process_runs(folders: list[Path]) -> None:
    """Within the bound, a process that had read it opens nothing with it any more, whatever its database holds."""
    rooms = Rooms(folders)
    value, _ = await rooms.sealed()
    make_master(folders, NOW)
    destroy_master(folders, "00000001")
    rooms.clock.at += timedelta(seconds=60)
    assert await rooms.opened(rooms.maker, value) == value
    assert await rooms.opened(rooms.hearer, value) == value


async def test_secrets_that_cannot_be_read_stay_as_they_were(folders: list[Path]) -> None:
    """A folder that is away for a moment stops nobody."""
    rooms = Rooms(folders)
    value, _ = await rooms.sealed()
    (folders[2] / "fingerprint.key").rename(folders[2] / "away")
    rooms.clock.at += timedelta(seconds=60)
    assert await rooms.opened(rooms.maker, value) == Personal(value.subject_id, "Ana")
