"""Kafka's jars: only ever the ones in the lock."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from erbium.servers import LocalServerError, folder, jars

CONTENT = b"a whole jar"
JAR_LINE = f"org.example:thing:1.0 sha256={hashlib.sha256(CONTENT).hexdigest()}\n"


class Repository:
    """Serves what it is told, once each, and counts."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers: Iterator[bytes | Exception] = iter(answers)
        self.asked: list[Path] = []

    def __call__(self, jar: jars.Jar, into: Path) -> Path:
        self.asked.append(into)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            (into / "half").write_bytes(b"half")
            raise answer
        served = into / "served.jar"
        served.write_bytes(answer)
        return served


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "jars.lock"
    path.write_text("# a comment\n\n" + JAR_LINE)
    return path


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "RETRY_PAUSE_SECONDS", 0.0)


def ensure(lock: Path, kept_in: Path, repository: Repository) -> list[Path]:
    return jars.ensure(lock, kept_in, progress=lambda _: None, fetch=repository)


def test_a_wrong_hash_is_refused(lock: Path, tmp_path: Path) -> None:
    """What the repository serves must be what the lock names; one sentence holds both hashes and what to do, and nothing is kept."""
    repository = Repository(b"another jar")
    with pytest.raises(LocalServerError) as refused:
        ensure(lock, tmp_path / "jars", repository)
    expects, came = hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(b"another jar").hexdigest()
    assert str(refused.value) == (
        f"org.example:thing:1.0: the lock expects sha256 {expects}, and 11 bytes with sha256 {came} came: nothing of it was kept, "
        "so name a repository that serves the true file with ERBIUM_MAVEN_REPO, "
        "or, if you changed the version on purpose, correct its line in deploy/kafka-jars.lock."
    )
    assert [path.name for path in (tmp_path / "jars").iterdir()] == [".lock"]
    assert len(repository.asked) == 1


def test_a_truncated_jar_is_fetched_again(lock: Path, tmp_path: Path) -> None:
    """A jar that is short on the disk is not used: a sentence says so, it is brought again, and then left alone."""
    kept = tmp_path / "jars" / "thing-1.0.jar"
    kept.parent.mkdir()
    kept.write_bytes(CONTENT[:4])
    repository, said = Repository(CONTENT), list[str]()
    assert jars.ensure(lock, kept.parent, progress=said.append, fetch=repository) == [kept]
    assert said[0] == f"Kafka: {kept} is not the file that the lock names (altered, or cut short): replacing it"
    assert kept.read_bytes() == CONTENT
    ensure(lock, kept.parent, repository)
    assert len(repository.asked) == 1


def test_a_broken_connection_is_tried_again(lock: Path, tmp_path: Path) -> None:
    """Each try has a fresh folder of its own, so that half a download is never continued or believed."""
    repository = Repository(requests.ConnectionError("cut"), RuntimeError("not found in remote repositories"), CONTENT)
    ensure(lock, tmp_path / "jars", repository)
    assert (tmp_path / "jars" / "thing-1.0.jar").read_bytes() == CONTENT
    assert len(set(repository.asked)) == 3


def test_no_network_is_one_sentence(lock: Path, tmp_path: Path) -> None:
    """When no try succeeds the reader is told which three things would help."""
    repository = Repository(*[requests.ConnectionError("away")] * jars.FETCH_TRIES_MAX)
    with pytest.raises(LocalServerError, match=r"ERBIUM_MAVEN_REPO.*ERBIUM_KAFKA"):
        ensure(lock, tmp_path / "jars", repository)


def test_a_full_disk_is_one_sentence(lock: Path, tmp_path: Path) -> None:
    """No room is said as no room."""
    with pytest.raises(LocalServerError, match="is full: free some space"):
        ensure(lock, tmp_path / "jars", Repository(OSError(28, "No space left on device")))


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    """A damaged lock file names its file and line."""
    path = tmp_path / "jars.lock"
    path.write_text(JAR_LINE + "org.example:thing\n")
    with pytest.raises(LocalServerError, match=r"jars\.lock, line 2"):
        jars.read_lock(path)


def test_the_lock_of_this_checkout_is_whole() -> None:
    """46 jars, each with a file name of its own, and no address of any repository."""
    path = folder.checkout() / "deploy" / "kafka-jars.lock"
    locked = jars.read_lock(path)
    assert len({jar.file_name for jar in locked}) == len(locked) == 46
    assert "://" not in path.read_text()


def test_the_python_lock_holds_hashes_and_no_address() -> None:
    """requirements.lock works with every index: it names none."""
    text = (folder.checkout() / "requirements.lock").read_text()
    assert "://" not in text
    assert "--hash=sha256:" in text
