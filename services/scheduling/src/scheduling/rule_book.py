"""Reads `rules/*.toml` once, when the service starts."""

import tomllib
from pathlib import Path
from typing import Any

from erbium_kernel.data_folder import data_folder
from scheduling.rules import Rules, read_rules


def rules_folder() -> Path:
    """Of this service. Raises: FileNotFoundError."""
    return data_folder(Path(__file__).resolve().parent, "rules", "intervals.toml")


def load(folder: Path | None = None) -> Rules:
    """The rules in force. Raises: FileNotFoundError, KeyError, AssertionError: a service without its rules does not start."""
    where = folder or rules_folder()

    def read(name: str) -> dict[str, Any]:
        with (where / name).open("rb") as file:
            return tomllib.load(file)

    return read_rules(read("intervals.toml"), read("zones.toml"), read("visits.toml"))
