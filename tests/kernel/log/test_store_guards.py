"""The one suite, third part: what must be unique or must not overlap, decided in the append's transaction."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from erbium_kernel.decider import Claim, FreeName, Release, SetTimer, TakeName
from erbium_kernel.errors import AlreadyAnswered, GuardRefused
from erbium_kernel.log_records import Append
from erbium_kernel.ports import Store
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import a_command, a_key, a_stream, an_answer
from tests.kernel.log.racing import outcomes

NINE = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
RACERS = 6
PATIENT_NUMBER = "patient-number"


def at(minutes: int) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


def claim(room: UUID, holder: UUID, begins: int, ends: int) -> Claim:
    """A room from and to so many minutes after nine."""
    return Claim(resource=room, starts_at=at(begins), ends_at=at(ends), holder=holder)


def claiming(chain_id: UUID, *claims: Claim | Release | TakeName | FreeName) -> Append:
    """A command of a new stream with these guards."""
    return a_command(chain_id, a_stream("visit"), guards=claims)


@pytest.mark.parametrize(("begins", "ends"), [(0, 30), (10, 20), (-10, 1), (29, 60), (-10, 60)])
async def test_an_overlap_is_refused_whole(store: Store, chain_id: UUID, begins: int, ends: int) -> None:
    """A room taken 9:00-9:30 is refused for any overlapping time: GuardRefused names the room, no event, no other guard stands."""
    room, other = uuid4(), uuid4()
    await store.append(claiming(chain_id, claim(room, uuid4(), 0, 30)))
    refused = claiming(chain_id, claim(other, uuid4(), begins, ends), claim(room, uuid4(), begins, ends))
    with pytest.raises(GuardRefused) as refusal:
        await store.append(refused)
    assert refusal.value.guard == str(room)
    assert (await store.load(chain_id, refused.stream)).rows == ()
    await store.append(claiming(chain_id, claim(other, uuid4(), begins, ends)))


async def test_times_that_only_touch_do_not_overlap(store: Store, chain_id: UUID) -> None:
    """A claim is half-open: until 9:30 and from 9:30 on are both possible, and another room at the same time is too."""
    room = uuid4()
    await store.append(claiming(chain_id, claim(room, uuid4(), 0, 30)))
    await store.append(claiming(chain_id, claim(room, uuid4(), 30, 60), claim(room, uuid4(), -30, 0)))
    await store.append(claiming(chain_id, claim(uuid4(), uuid4(), 0, 30)))


async def test_a_command_cannot_overlap_itself(store: Store, chain_id: UUID) -> None:
    """Two overlapping claims of one command are refused, also for the same holder."""
    room, holder = uuid4(), uuid4()
    with pytest.raises(GuardRefused):
        await store.append(claiming(chain_id, claim(room, holder, 0, 30), claim(room, holder, 20, 40)))


async def test_a_release_frees_all_times_of_its_holder_only(store: Store, chain_id: UUID) -> None:
    """After a release the holder's times may be taken, another holder's may not; releasing nothing is no error."""
    room, mine, theirs = uuid4(), uuid4(), uuid4()
    await store.append(claiming(chain_id, claim(room, mine, 0, 30), claim(room, mine, 60, 90), claim(room, theirs, 30, 60)))
    await store.append(claiming(chain_id, Release(resource=room, holder=mine), Release(resource=uuid4(), holder=mine)))
    await store.append(claiming(chain_id, claim(room, uuid4(), 0, 30), claim(room, uuid4(), 60, 90)))
    with pytest.raises(GuardRefused):
        await store.append(claiming(chain_id, claim(room, uuid4(), 30, 60)))


async def test_a_visit_moves_over_its_own_old_time(store: Store, chain_id: UUID) -> None:
    """Release and claim in one command, in this order: the new time may overlap the old one; a refused move keeps the old time."""
    room, visit = uuid4(), uuid4()
    await store.append(claiming(chain_id, claim(room, visit, 0, 30), claim(room, uuid4(), 60, 90)))
    await store.append(claiming(chain_id, Release(resource=room, holder=visit), claim(room, visit, 15, 45)))
    for refused in ((claim(room, visit, 50, 80),), (claim(room, visit, 20, 50), claim(room, visit, 80, 100))):
        with pytest.raises(GuardRefused):
            await store.append(claiming(chain_id, Release(resource=room, holder=visit), *refused))
    with pytest.raises(GuardRefused):
        await store.append(claiming(chain_id, claim(room, uuid4(), 40, 50)))
    await store.append(claiming(chain_id, claim(room, uuid4(), 0, 15)))


async def test_a_name_is_taken_once_until_it_is_freed(store: Store, chain_id: UUID) -> None:
    """The second to take it is GuardRefused with the name; another value, or a freed one, may be taken; freeing nothing is no error."""
    taken = TakeName(name=PATIENT_NUMBER, value="17")
    await store.append(claiming(chain_id, taken))
    with pytest.raises(GuardRefused) as refusal:
        await store.append(claiming(chain_id, TakeName(name="other", value="17"), taken))
    assert refusal.value.guard == PATIENT_NUMBER
    await store.append(claiming(chain_id, TakeName(name="other", value="17"), TakeName(name=PATIENT_NUMBER, value="18")))
    await store.append(claiming(chain_id, FreeName(name=PATIENT_NUMBER, value="17"), FreeName(name=PATIENT_NUMBER, value="99")))
    await store.append(claiming(chain_id, taken))
    with pytest.raises(GuardRefused):
        await store.append(claiming(chain_id, taken))


async def test_a_chain_guards_only_itself(store: Store, chain_id: UUID) -> None:
    """The same resource id and the same name are free in another chain, and its releases free nothing here."""
    room, holder, elsewhere = uuid4(), uuid4(), uuid4()
    name = TakeName(name=PATIENT_NUMBER, value="17")
    for chain in (chain_id, elsewhere):
        await store.append(claiming(chain, claim(room, holder, 0, 30), name))
    await store.append(claiming(elsewhere, Release(resource=room, holder=holder), FreeName(name=PATIENT_NUMBER, value="17")))
    for guard in (claim(room, uuid4(), 0, 30), name):
        with pytest.raises(GuardRefused):
            await store.append(claiming(chain_id, guard))


async def test_a_lost_race_takes_no_guard(store: Store, chain_id: UUID) -> None:
    """A command under an answered key leaves neither its claim nor its timer behind."""
    room, key = uuid4(), a_key(chain_id)
    await store.append(a_command(chain_id, a_stream(), answer=an_answer(key, a_stream())))
    stream = a_stream()
    timers = ((uuid4(), SetTimer(key=f"hold-{stream}", type="hold-expires", due_at=at(0), ref=uuid4())),)
    late = a_command(chain_id, stream, guards=(claim(room, uuid4(), 0, 30),), timers=timers, answer=an_answer(key, stream))
    with pytest.raises(AlreadyAnswered):
        await store.append(late)
    await store.append(claiming(chain_id, claim(room, uuid4(), 0, 30)))
    assert chain_id not in {due.chain_id for due in await store.due_timers(at(0), 10_000)}


async def test_of_racing_claims_exactly_one_wins(ground: Ground, chain_id: UUID) -> None:
    """Six bookings of one room and time by two processes: one stands, five are GuardRefused."""
    room = uuid4()
    racers = [claiming(chain_id, claim(room, uuid4(), n, 30 + n)) for n in range(RACERS)]
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].append(work) for n, work in enumerate(racers)))
    assert (won, [type(error) for error in lost]) == ([1], [GuardRefused] * (RACERS - 1))
    assert sum([len((await ground.store.load(chain_id, work.stream)).rows) for work in racers]) == 1


async def test_claims_in_opposite_orders_neither_deadlock_nor_both_win(ground: Ground, chain_id: UUID) -> None:
    """Practitioner then room against room then practitioner: exactly one command stands, nobody waits for ever."""
    room, doctor = uuid4(), uuid4()
    pair = [claim(room, uuid4(), 0, 30), claim(doctor, uuid4(), 0, 30)]
    racers = [claiming(chain_id, *(pair if n % 2 else reversed(pair))) for n in range(RACERS)]
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].append(work) for n, work in enumerate(racers)))
    assert (won, [type(error) for error in lost]) == ([1], [GuardRefused] * (RACERS - 1))


async def test_of_racing_names_exactly_one_wins(ground: Ground, chain_id: UUID) -> None:
    """Six registrations of one patient number by two processes: one stands, five are GuardRefused."""
    racers = [claiming(chain_id, TakeName(name=PATIENT_NUMBER, value="17")) for _ in range(RACERS)]
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].append(work) for n, work in enumerate(racers)))
    assert (won, [type(error) for error in lost]) == ([1], [GuardRefused] * (RACERS - 1))
