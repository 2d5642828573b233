"""The operators' commands of a real service: each says what it does, changes nothing on a dry run, and ends with its documented code."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from erbium_kernel.command_line import obeyed, parser
from tests.kernel.follow.kitchen import CHAIN
from tests.kernel.follow.test_process import park
from tests.kernel.follow.ward_process import Ward, a_ward
from tests.kernel.follow.ward_service import answers

BOARD = "ward.beds"


@pytest.fixture(scope="module")
async def ward(postgres_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """One ward for this file."""
    async with a_ward(postgres_url, kafka, tmp_path_factory.mktemp("ward")) as ward:
        code, _, err = await ward.command("migrate")
        assert code == 0, err
        yield ward


class Told:
    """The command line with this ward's settings."""

    def __init__(self, ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing is said yet."""
        self._ward, self._capsys = ward, capsys

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""
        try:
            code = await obeyed(self._ward.service, parser(self._ward.service).parse_args(list(arguments)))
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def told(ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Without what the ward's own environment does not say."""
    for name, value in ward.environment.items():
        monkeypatch.setenv(name, value)
    return Told(ward, capsys)


async def released(ward: Ward) -> dict[UUID, bool]:
    """Parked patient -> released?"""
    connection = await asyncpg.connect(ward.urls.work)
    try:
        return {row["ordering_id"]: row["released"] for row in await connection.fetch("SELECT ordering_id, released FROM parked_keys")}
    finally:
        await connection.close()


async def test_retry_foretold_and_done(ward: Ward, told: Told) -> None:
    """A dry run says row by row what would happen and releases nothing; --all releases every key of the subscriber."""
    patients = await ward.take_beds(3)
    events = [await park(ward, patient) for patient in patients]
    code, out, err = await told("parked", "retry", BOARD, str(CHAIN), str(patients[0]), "--dry-run", "--json")
    assert (code, err) == (0, "")
    row, last = answers(out)
    assert (row["event_id"], row["type"], row["verdict"], row["behind"]) == (events[0], "bed-taken", "effect", False)
    assert last == {"failing": 0, "dry_run": True}
    code, out, _ = await told("parked", "retry", BOARD, "--all", "--dry-run")
    assert (code, out.count("would take effect"), out.splitlines()[-1]) == (0, 3, "Nothing was changed. No row fails.")
    assert not any((await released(ward)).values())
    assert (await ward.rows()) & set(patients) == set()
    code, out, _ = await told("parked", "retry", BOARD, "--all", "--json")
    assert (code, {line["released"] for line in answers(out)}) == (0, {str(patient) for patient in patients})
    assert all((await released(ward)).values())
    code, _, err = await told("parked", "retry", BOARD, "--all")
    assert (code, err.count("\n")) == (1, 1)
    assert f"Nothing waits in {BOARD}" in err
    async with ward.running("work"):
        await ward.followed_everywhere(patients)


async def test_a_row_that_fails_is_exit_code_1(ward: Ward, told: Told) -> None:
    """What this build cannot read is told with the class and place of the error, and the code is 1."""
    (patient,) = await ward.take_beds(1)
    await park(ward, patient)
    owner = await asyncpg.connect(ward.urls.owner)
    async with owner.transaction():
        await owner.execute("SELECT set_config('app.chain', $1, true)", str(CHAIN))
        await owner.execute("UPDATE log SET schema_version = 7 WHERE ordering_id = $1 AND type = 'bed-taken'", patient)
    code, out, _ = await told("parked", "retry", BOARD, str(CHAIN), str(patient), "--dry-run")
    assert (code, "still fails (Undecodable at " in out) == (1, True)
    assert out.splitlines()[-1] == "Nothing was changed. 1 rows still fail."
    async with owner.transaction():
        await owner.execute("SELECT set_config('app.chain', $1, true)", str(CHAIN))
        await owner.execute("UPDATE log SET schema_version = 1 WHERE ordering_id = $1", patient)
    await owner.close()
    assert (await told("parked", "retry", BOARD, str(CHAIN), str(patient)))[0] == 0
    async with ward.running("work"):
        await ward.followed_everywhere([patient])


async def test_rebuilt_beside_a_running_worker(ward: Ward, told: Told) -> None:
    """With a worker at work: compared, kept on a dry run, given up when told to, exchanged at last; the table is as before."""
    async with ward.running("work"):
        patients = await ward.take_beds(5)
        await ward.followed_everywhere(patients)
        before = await ward.rows()
        code, out, err = await told("rebuild", "beds", "--beside", "--dry-run", "--json")
        assert (code, err) == (0, "")
        *_, table, last = answers(out)
        assert (table["table"], table["live"], table["missing"], table["listed"]) == ("beds", table["new"], 0, [])
        assert (last["parity"], last["exchanged"], last["projection"]) == (True, False, BOARD)
        assert "what was made beside it is dropped" in (await told("rebuild", "beds", "--abandon"))[1]
        code, out, _ = await told("rebuild", "beds", "--beside")
        assert (code, "every row is the same" in out, out.splitlines()[-1]) == (0, True, f"{BOARD}: exchanged; what was in use is gone.")
        assert await ward.rows() == before
        await ward.followed_everywhere(await ward.take_beds(3))


async def test_differences_stop_the_exchange(ward: Ward, told: Told) -> None:
    """Rows that differ are listed and nothing is exchanged, with exit code 1, until they are accepted."""
    owner, stray = await asyncpg.connect(ward.urls.owner), uuid4()
    async with owner.transaction():
        await owner.execute("SELECT set_config('app.chain', $1, true)", str(CHAIN))
        await owner.execute("INSERT INTO beds VALUES ($1, $2, $2, 1)", CHAIN, stray)
    await owner.close()
    code, out, _ = await told("rebuild", "beds", "--beside")
    assert (code, f"  missing: chain_id={CHAIN}, event_id={stray}" in out) == (1, True)
    assert "--accept-differences, or --abandon" in out
    assert stray in await ward.rows()
    assert (await told("rebuild", "beds", "--beside", "--accept-differences"))[0] == 0
    assert stray not in await ward.rows()


@pytest.mark.parametrize(
    "arguments",
    [
        ["parked", "retry", BOARD], ["parked", "retry", BOARD, str(CHAIN)], ["parked", "retry", BOARD, str(CHAIN), str(CHAIN), "--all"],
        ["rebuild", "beds", "--dry-run"], ["rebuild", "beds", "--beside", "--live"], ["rebuild", "beds", "--beside", "--list", "-1"],
    ],
)  # fmt: skip
async def test_wrong_usage(told: Told, arguments: list[str]) -> None:
    """What does not fit together is wrong usage, before anything is opened."""
    code, _, err = await told(*arguments)
    assert (code, "usage:" in err) == (2, True)
