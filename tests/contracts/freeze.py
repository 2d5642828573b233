"""`python -m tests.contracts.freeze`: writes the golden OpenAPI documents, after a look at what `breaks` says."""

import json
import sys

from tests.contracts.test_api_freeze import GOLDEN, SERVICES, breaks, document

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for service in SERVICES:
        path, now = GOLDEN / f"{service}.json", document(service)
        broken = list(breaks(json.loads(path.read_text()), now)) if path.is_file() else []
        if broken:
            sys.exit("callers would trip over:\n" + "\n".join(broken))
        path.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
