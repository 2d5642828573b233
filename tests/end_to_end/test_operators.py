"""The operators' commands on a running Erbium: two logs held against each other, a table made again, a look back."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from erbium import development_chain
from erbium.stack import Stack
from tests.workbench.calling import erbium

ARRIVED_SECONDS_MAX = 60.0
POLL_SECONDS = 0.5


def said(stack: Stack, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and the lines in JSON."""
    code, out, err = erbium(*arguments, "--json", state=stack.state)
    assert code in (0, 1), err
    return code, [json.loads(line) for line in out.splitlines()]


def test_nothing_is_missing(stack: Stack) -> None:
    """All that one service has sent has arrived at those that hear it; each of the pairs is told."""
    development_chain.register(stack)
    heard: dict[str, int] = {}
    deadline = time.monotonic() + ARRIVED_SECONDS_MAX
    while not heard and time.monotonic() < deadline:
        code, pairs = said(stack, "reconcile", "--from", "scheduling")
        assert (code, sum(pair["missing_total"] for pair in pairs)) == (0, 0)
        arrived = [pair["facts"].get("erbium.scheduling.clinic-registered", {}).get("heard", 0) for pair in pairs]
        heard = {pair["to"]: count for pair, count in zip(pairs, arrived, strict=True)} if all(arrived) else {}
        time.sleep(POLL_SECONDS)
    assert heard.keys() == {"screening", "device-telemetry", "aftercare"} & heard.keys()
    assert len(set(heard.values())) == 1, "each has heard of the same clinics"
    assert min(heard.values()) >= len(stack.clinics)
    code, pairs = said(stack, "reconcile")
    assert code == 0
    assert {(pair["from"], pair["to"]) for pair in pairs} > {("screening", "scheduling"), ("aftercare", "screening")}
    assert erbium("reconcile", "--from", "screening", "--to", "screening", state=stack.state)[0] == 1


def test_made_again_beside(stack: Stack) -> None:
    """A read table of a running service is made again and exchanged; the clinics are listed as before."""
    development_chain.register(stack)
    assert said(stack, "parked", "scheduling", "list") == (0, [])
    code, lines = said(stack, "rebuild", "scheduling", "clinics", "--beside", "--dry-run")
    assert (code, lines[-1]["parity"], lines[-1]["exchanged"]) == (0, True, False)
    code, lines = said(stack, "rebuild", "scheduling", "clinics", "--beside")
    assert (code, lines[-1]["exchanged"]) == (0, True)
    live = {table["table"]: table["live"] for table in lines if "table" in table}
    assert live["clinics"] >= len(stack.clinics), "with those of the journey"
    assert erbium("rebuild", "scheduling", "nothing", state=stack.state)[0] == 1


def test_a_look_back(stack: Stack) -> None:
    """A clinic as it was recorded a moment ago is there; a year ago it was not."""
    development_chain.register(stack)
    now = datetime.now(UTC)
    path = f"/v1/clinics/{stack.clinics[0]}"
    code, [clinic] = said(stack, "as-of", "scheduling", path, f"{now:%Y-%m-%dT%H:%M:%S.%fZ}")
    assert (code, clinic["clinic_id"]) == (0, str(stack.clinics[0]))
    code, [problem] = said(stack, "as-of", "scheduling", path, f"{now - timedelta(days=365):%Y-%m-%dT%H:%M:%SZ}")
    assert (code, problem["status"]) == (1, 404)
