"""The ward as a whole service in a folder of its own: what `services/<service>` is, small enough to be written by a test."""

import json
from pathlib import Path

from erbium_kernel.decider import Decider
from erbium_kernel.event import EventTable, Stored
from erbium_kernel.service import Service
from tests.kernel.follow.board import Board
from tests.kernel.follow.kitchen import Kitchen, MealOrdered
from tests.kernel.ward import BED, BedTaken, publishes

ROLES_OF = "screening"  # whose database roles the ward borrows
PARTITIONS = 3

ENV = """from alembic import context

from erbium_kernel.migrating import run
from {package}.wiring import SERVICE

run(context, SERVICE)
"""
KERNEL = """from alembic import op

from erbium_kernel.migrating import install_kernel

revision = "0001"
down_revision = None


def upgrade() -> None:
    install_kernel(op, "{roles}")
"""
BEDS_TABLE = """import sqlalchemy as sa
from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script, secure

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "beds",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "event_id", name="beds_pkey"),
    )
    secure(op, "{roles}", "beds")
    for step in schema.LATER_STEP_NAMES:
        run_script(op, schema.text("{roles}", step))
"""
WIRING = """from tests.kernel.follow.ward_service import ward_service

SERVICE = ward_service("{name}")
"""
MAIN = """from erbium_kernel.service import main
from {package}.wiring import SERVICE

if __name__ == "__main__":
    main(SERVICE)
"""


def ward_service(name: str) -> Service:
    """Beds, meals and a board; it listens to itself, so that a bed taken comes back from Kafka as a message."""
    kitchen, board = Kitchen(), Board()
    meals: Decider[object, object, MealOrdered] = kitchen.decider
    return Service(
        name=name,
        deciders=(BED, meals),
        publishes=publishes,
        heard=EventTable({f"erbium.{name}.bed-taken": Stored(record=BedTaken)}),
        listens_to=(name,),
        reactions=(kitchen.hearing(frozenset({f"erbium.{name}.bed-taken"})),),
        projections=(board.projection,),
        timers={"wake": kitchen.tea},
        erased_by=("bed-left",),
        heartbeat=True,
    )


def write_service(folder: Path, name: str) -> Path:
    """The service's files; returns its topics file. Put `folder/src` on the path of Python."""
    package = name.replace("-", "_")
    files = {
        f"src/{package}/__init__.py": "",
        f"src/{package}/wiring.py": WIRING.format(name=name),
        f"src/{package}/__main__.py": MAIN.format(package=package),
        "migrations/env.py": ENV.format(package=package),
        "migrations/script.py.mako": "",
        "migrations/versions/0001_kernel.py": KERNEL.format(roles=ROLES_OF),
        "migrations/versions/0002_read_tables.py": BEDS_TABLE.format(roles=ROLES_OF),
        "topics.toml": f'[topics."erbium.{name}.v1"]\npartitions = {PARTITIONS}\nconfig = {{ "retention.ms" = "-1" }}\n',
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder / "topics.toml"


def answers(output: str) -> list[dict[str, object]]:
    """The lines that a command wrote with --json."""
    return [json.loads(line) for line in output.splitlines()]
