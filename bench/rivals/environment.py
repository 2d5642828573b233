"""The rivals' virtual environment `.venv-bench`: made on demand from `requirements.lock`, so that the product's stays clean."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

LOCK: Final = Path(__file__).parents[1] / "requirements.lock"
INSTALL_SECONDS_MAX: Final = 300.0


def python(checkout: Path, say: Callable[[str], None]) -> Path:
    """The interpreter of an environment that is exactly as locked. Raises: CalledProcessError with what pip said."""
    place = checkout / ".venv-bench"
    made_for, wanted = place / "made-for", hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    interpreter = place / "bin" / "python"
    if not made_for.is_file() or made_for.read_text() != wanted:
        say("installing the rivals into .venv-bench (once, under a minute)")
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=INSTALL_SECONDS_MAX)
        install = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes", "-r", str(LOCK)]
        subprocess.run(install, check=True, timeout=INSTALL_SECONDS_MAX)
        made_for.write_text(wanted)
    return interpreter
