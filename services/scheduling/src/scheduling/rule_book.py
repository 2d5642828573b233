"""Reads `rules/*.toml` once, when the service starts."""

import tomllib
from pathlib import Path
from typing import Any

from scheduling.rules import Rules, read_rules


def rules_folder() -> Path:
    """Beside the sources in a checkout, inside the package where it was installed as a wheel. Raises: FileNotFoundError."""
    package = Path(__file__).resolve().parent
    for folder in (package / "rules", package.parents[1] / "rules"):
        if (folder / "intervals.toml").is_file():
            return folder
    raise FileNotFoundError(f"no rules near {package}: the folder rules/ of the service must come with it")


def load(folder: Path | None = None) -> Rules:
    """The rules in force. Raises: FileNotFoundError, KeyError, AssertionError: a service without its rules does not start."""
    where = folder or rules_folder()

    def read(name: str) -> dict[str, Any]:
        with (where / name).open("rb") as file:
            return tomllib.load(file)

    return read_rules(read("intervals.toml"), read("zones.toml"), read("visits.toml"))
