"""Many seeds, in order, in several processes."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final

from tests.simulation.run import Run, run

COLLECT_SEEDS: Final = 25  # between two looks for garbage: a collector that wakes by itself takes a third of the time


def one(seed: int) -> Run:
    """One seed in a worker."""
    if seed % COLLECT_SEEDS == 0:
        gc.collect()
    return run(seed)


def ready() -> None:
    """What is imported by now stays: the collector need not look at it."""
    gc.collect()
    gc.freeze()
    gc.disable()


@contextmanager
def collected_by_hand() -> Iterator[None]:
    """The same for a while, in a process that does other things too."""
    was_on = gc.isenabled()
    ready()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
        gc.collect()


def runs(seeds: Sequence[int], jobs: int) -> Iterator[Run]:
    """All of them, in order, in so many processes."""
    if jobs == 1:
        yield from map(one, seeds)
        return
    with get_context("spawn").Pool(jobs, ready) as pool:
        yield from pool.imap(one, seeds, chunksize=4)
