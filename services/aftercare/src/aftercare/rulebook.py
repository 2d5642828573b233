"""Reads `rules/*.toml`, once, and refuses tables that could not be right."""

import tomllib
from pathlib import Path
from typing import Any, get_args

from aftercare.rules import CheckInDays, InstructionRow, Level, Limits, Rules, TriageRow
from erbium_kernel.data_folder import data_folder

LIMIT_FIELDS = tuple(Limits.__dataclass_fields__)


def rules_folder() -> Path:
    """Of this service. Raises: FileNotFoundError."""
    return data_folder(Path(__file__).parent, "rules", "triage.toml")


def read_rules(folder: Path) -> Rules:
    """All tables. Raises: ValueError with a sentence that names the file and what is wrong in it."""
    instructions, check_ins, triage = (
        tomllib.loads((folder / f"{name}.toml").read_text()) for name in ("instructions", "check_ins", "triage")
    )
    return Rules(
        instructions_version=instructions["version"],
        instructions=tuple(_instruction(row) for row in instructions["instruction"]),
        check_ins=CheckInDays(
            version=check_ins["version"],
            asked_at_local_hour=check_ins["asked_at_local_hour"],
            days={modality: tuple(days) for modality, days in check_ins["days"].items()},
        ),
        triage_version=triage["version"],
        limits=_limits(triage["limits"]),
        triage=_triage(triage["levels"]),
    )


def _instruction(row: dict[str, Any]) -> InstructionRow:
    if not 0 <= row["starts_day"] <= row["ends_day"] or not row.get("src"):
        raise ValueError(f"instructions.toml: {row.get('id')} needs 0 <= starts_day <= ends_day and a src")
    return InstructionRow(
        id=row["id"],
        text=row["text"],
        modalities=tuple(row["modalities"]),
        starts_day=row["starts_day"],
        ends_day=row["ends_day"],
        src=row["src"],
    )


def _limits(table: dict[str, Any]) -> Limits:
    for name in LIMIT_FIELDS:
        if not {"value", "unit", "src"} <= table.get(name, {}).keys():
            raise ValueError(f"triage.toml: limits.{name} needs a value, a unit and a src")
    return Limits(**{name: table[name]["value"] for name in LIMIT_FIELDS})


def _triage(levels: dict[str, Any]) -> dict[Level, TriageRow]:
    if set(levels) != set(get_args(Level)):
        raise ValueError(f"triage.toml: the levels are {get_args(Level)}")
    signs = [sign for row in levels.values() for sign in row["signs"]]
    twice = {sign for sign in signs if signs.count(sign) > 1}
    if twice:
        raise ValueError(f"triage.toml: {sorted(twice)} stand under two levels")
    return {level: TriageRow(action=levels[level]["action"], signs=frozenset(levels[level]["signs"])) for level in get_args(Level)}
