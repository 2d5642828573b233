"""Requests that carry a planted name where none belongs: unknown fields, wrong types, broken JSON, addresses, queries, headers."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from erbium.journey.clinic import Clinic

DEEP = 200
LONG = 3_000


def bodies(word: str, clinic_id: uuid.UUID) -> list[tuple[str, bytes]]:
    """(content type, body)."""
    good = {"clinic_id": str(clinic_id), "name": word, "birth_date": "1907-02-17", "contact": word}
    odd: list[Any] = [
        good | {word: word}, good | {"birth_date": word}, good | {"name": [word]}, good | {"contact": {word: word}},
        good | {"clinic_id": word}, good | {"patient_id": word}, good | {"name": word * LONG}, [word], word, {word: {word: [word]}},
        good | {"name": word + "\0"},
    ]  # fmt: skip
    texts = [json.dumps(each, ensure_ascii=ascii_) for each in odd for ascii_ in (True, False)]
    texts += [
        json.dumps(good)[:-1], f'{{"name": "{word}", "name": "{word}"}}', f'{{"name": NaN, "{word}": 1e999}}', f"{word}: {word}",
        "[" * DEEP + json.dumps(word) + "]" * DEEP,
    ]  # fmt: skip
    raw = [text.encode() for text in texts] + [json.dumps(good, ensure_ascii=False).encode("utf-16"), word.encode("latin-1", "replace")]
    wrong = [("text/plain", word.encode()), (f"application/{word.encode('ascii', 'ignore').decode()}", b"{}")]
    return [("application/json", each) for each in raw] + wrong


def headers(word: str) -> list[dict[str, str]]:
    """Each header that we read, and some that we do not, with an ASCII word in it."""
    names = (
        "If-Match", "If-None-Match", "Erbium-After", "traceparent", "tracestate", "X-Request-Id", "Content-Type", "Accept", "User-Agent",
        "Origin", "Referer", "Cookie", "X-Forwarded-For", "Authorization", "Idempotency-Key", "Content-Encoding", "Accept-Language", word,
    )  # fmt: skip
    return [{name: word} for name in names] + [{"Authorization": f"Bearer {word}.{word}.{word}"}, {"If-Match": f'"{word}"'}]


def refused(clinic: Clinic, plain: str, word: str, document: Callable[[str], Any]) -> Iterator[httpx.Response]:
    """Everything sent to all four services; `plain` is ASCII, for places that take nothing else. `document(service)`: its OpenAPI."""
    with httpx.Client(timeout=30, trust_env=False) as http:
        for service, url in clinic.urls.items():
            token = {"Authorization": f"Bearer {clinic.token('medical_director')}"}
            for method, path, takes_body in _operations(document(service)):
                address = url + path.replace("{}", plain)
                key = {"Idempotency-Key": str(uuid.uuid4())}
                yield http.request(method, address, headers=token | key, json={word: word} if takes_body else None)
                nobody = url + path.replace("{}", str(uuid.uuid4()))
                yield http.request(method, nobody, headers=token | key, params={plain: word, "limit": word})
            for path in (f"/{plain}", f"/v1/{plain}", f"/v1/{word}?{word}={word}", f"/docs/{plain}", f"/v1/patients/{word}"):
                yield http.get(url + path, headers=token)
                yield http.request(plain.upper(), url + path, headers=token)
        patients = clinic.urls["screening"] + "/v1/patients"
        desk = {"Authorization": f"Bearer {clinic.token('front_desk')}"}
        for content_type, body in bodies(word, clinic.clinics[0]):
            yield http.post(patients, headers=desk | {"Content-Type": content_type, "Idempotency-Key": str(uuid.uuid4())}, content=body)
        good = {"clinic_id": str(clinic.clinics[0]), "name": word, "birth_date": "1907-02-17"}
        for header in headers(plain):
            yield http.post(patients, headers=desk | {"Idempotency-Key": str(uuid.uuid4())} | header, json=good)
            yield http.get(patients, headers=desk | header)


def _operations(document: Any) -> Iterator[tuple[str, str, bool]]:
    """(method, path with {} for each parameter, has it a body?)."""
    for path, operations in document["paths"].items():
        spelled = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
        for method, operation in operations.items():
            if method in ("get", "post", "put", "delete", "patch"):
                yield method.upper(), spelled, "requestBody" in operation
