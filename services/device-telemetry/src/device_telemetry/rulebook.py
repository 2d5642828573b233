"""Reads `rules/*.toml`, once, and refuses tables that could not be right."""

import tomllib
from pathlib import Path
from typing import Any, get_args

from device_telemetry.dose import LesionPoint, is_rising
from device_telemetry.rules import DeviceModel, GuardNumbers, Modality, ModalityLesions, Rules, Severity, Zone, Zones
from erbium_kernel.data_folder import data_folder

GUARD_FIELDS = (
    "over_plan_percent", "screening_age_seconds_max", "silence_minutes", "unstarted_minutes", "backfill_hours",
    "totals_behind_seconds_max", "area_ratio_max",
)  # fmt: skip


def rules_folder() -> Path:
    """Of this service. Raises: FileNotFoundError."""
    return data_folder(Path(__file__).parent, "rules", "guard.toml")


def read_rules(folder: Path) -> Rules:
    """All tables. Raises: ValueError with a sentence that names the table and what is wrong in it."""
    return Rules(
        guard=_guard(_table(folder, "guard")),
        zones=_zones(_table(folder, "zones")),
        models=_models(_table(folder, "device_models")),
        faults=_faults(_table(folder, "faults")),
    )


def _table(folder: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((folder / f"{name}.toml").read_text())


def _guard(table: dict[str, Any]) -> GuardNumbers:
    for name in GUARD_FIELDS:
        entry = table.get(name, {})
        if not {"value", "unit", "src"} <= entry.keys() or not entry["value"] > 0:
            raise ValueError(f"guard.toml: {name} needs a value above 0, a unit and a src")
    return GuardNumbers(version=table["version"], **{name: table[name]["value"] for name in GUARD_FIELDS})


def _zones(table: dict[str, Any]) -> Zones:
    zones = table["zones"]
    parents = {name: entry["parent"] for name, entry in zones.items() if "parent" in entry}
    unknown = zones.keys() ^ set(get_args(Zone)) | set(parents.values()) - zones.keys()
    if unknown:
        raise ValueError(f"zones.toml: {sorted(unknown)} are not the zones that this service knows")
    return Zones(version=table["version"], parents=parents, areas_cm2={name: entry["area_cm2"] for name, entry in zones.items()})


def _models(table: dict[str, Any]) -> dict[str, DeviceModel]:
    return {name: _model(name, table["version"], entry) for name, entry in table["models"].items()}


def _model(name: str, version: int, entry: dict[str, Any]) -> DeviceModel:
    lesions = tuple(
        ModalityLesions(modality=modality, table=tuple(LesionPoint(energy_mj=energy, diameter_um=um) for energy, um in points))
        for modality, points in entry["lesions"].items()
    )
    modalities = tuple(entry["modalities"])
    wrong = [one.modality for one in lesions if one.modality not in modalities or not is_rising(one.table)]
    if wrong or not set(modalities) <= set(get_args(Modality)) or entry["grid_cell_mm"] <= 0:
        raise ValueError(f"device_models.toml: {name} has unknown modalities, or lesion tables that do not rise: {wrong}")
    return DeviceModel(
        name=name, label=entry["label"], version=version, modalities=modalities, lesions=lesions, grid_cell_mm=entry["grid_cell_mm"]
    )


def _faults(table: dict[str, Any]) -> dict[str, Severity]:
    found = {code: entry["severity"] for code, entry in table["faults"].items()}
    wrong = sorted(code for code, severity in found.items() if severity not in get_args(Severity))
    if wrong:
        raise ValueError(f"faults.toml: unknown severity at {wrong}")
    return found


RULES = read_rules(rules_folder())
