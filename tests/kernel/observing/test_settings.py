"""Settings of a process."""

import os
from pathlib import Path

import pytest

from erbium_kernel.database_url import OPTIONS
from erbium_kernel.settings import NEEDS, PREFIX, Settings, SettingsUnfit


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ERBIUM_* of the machine's own."""
    for name in [name for name in os.environ if name.startswith("ERBIUM_")]:
        monkeypatch.delenv(name)


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings come from ERBIUM_*; without a word it is production; nothing can be changed afterwards."""
    monkeypatch.setenv("ERBIUM_HTTP_PORT", "8123")
    settings = Settings()
    assert (settings.http_port, settings.env, settings.development) == (8123, "production", False)
    with pytest.raises(ValueError, match="frozen"):
        settings.http_port = 1  # type: ignore[misc]


def test_missing() -> None:
    """What is missing for a way of starting is told in one sentence, all at once, each with what it is."""
    with pytest.raises(SettingsUnfit) as told:
        Settings(issuer="https://issuer.test").need(*NEEDS["api"])
    sentence = str(told.value)
    for name in ("ERBIUM_DATABASE_API_URL", "ERBIUM_JWKS", "ERBIUM_AUDIENCE", "ERBIUM_SECRETS_DIR"):
        assert name in sentence
    assert "ERBIUM_ISSUER" not in sentence


def test_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot be used is named without its value."""
    monkeypatch.setenv("ERBIUM_HTTP_PORT", "s3cret")
    monkeypatch.setenv("ERBIUM_ENV", "staging")
    with pytest.raises(SettingsUnfit, match="ERBIUM_HTTP_PORT") as told:
        Settings()
    assert "ERBIUM_ENV" in str(told.value)
    assert "s3cret" not in str(told.value)


def test_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting may be a file in the secrets folder; the environment wins; other files there do not matter."""
    (tmp_path / "erbium_database_api_url").write_text("postgresql://api:from-file@db/screening\n")
    (tmp_path / "erbium_kafka").write_text("from-file:9092")
    (tmp_path / "fingerprint.key").write_text("x")
    monkeypatch.setenv("ERBIUM_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("ERBIUM_KAFKA", "from-environment:9092")
    settings = Settings()
    assert settings.database_api_url == "postgresql://api:from-file@db/screening"
    assert settings.kafka == "from-environment:9092"


def test_shown_without_passwords(tmp_path: Path) -> None:
    """What is in force can be shown to anybody: passwords are hidden, the options of an address are not."""
    (tmp_path / "password").write_text("s3cret")
    settings = Settings(
        database_api_url="postgresql://api:s3cret:s3cret@db:5432/screening?sslmode=require&sslpassword=s3cret",
        kafka="kafka:9092", kafka_user="screening", kafka_password_file=tmp_path / "password",
    )  # fmt: skip
    shown = settings.shown()
    assert shown["ERBIUM_DATABASE_API_URL"] == "postgresql://api:(hidden)@db:5432/screening?sslmode=require"
    assert (shown["ERBIUM_KAFKA"], shown["ERBIUM_KAFKA_USER"]) == ("kafka:9092", "screening")
    assert "s3cret" not in str(shown) + repr(settings)


def test_every_setting_is_documented() -> None:
    """The operators' page has each setting with its description, its default and who needs it."""
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        needed_by = ", ".join(kind for kind, names in NEEDS.items() if name in names)
        default = f"`{field.default}`" if field.default not in ("", None) else ""
        assert f"| `{PREFIX}{name.upper()}` | {field.description} | {default} | {needed_by} |\n" in page


def test_every_option_of_an_address_is_documented() -> None:
    """The operators' page names each option that an address of PostgreSQL may have."""
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text("utf-8")
    assert not [option for option in OPTIONS if option not in page]
