"""The settings of a service process: from ERBIUM_* in the environment, or files in the folder that ERBIUM_SECRETS_DIR names."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

PREFIX = "ERBIUM_"
PORT_MAX = 65_535
HIDDEN = "(hidden)"

# What each way of starting needs; `need` names everything that is missing at once.
NEEDS = {
    "api": ("database_api_url", "issuer", "jwks", "audience", "secrets_dir"),
    "work": ("database_work_url", "kafka", "secrets_dir", "topics_file"),
    "all": ("database_api_url", "database_work_url", "kafka", "issuer", "jwks", "audience", "secrets_dir", "topics_file"),
    "migrate": ("database_owner_url",),
    "rebuild": ("database_owner_url", "database_work_url"),
    "parked": ("database_work_url",),
}


class SettingsUnfit(RuntimeError):
    """A setting is missing or cannot be used; the message says which, and what to do."""


class Settings(BaseSettings):
    """Frozen. A text setting that is not given is empty; `need` turns that into a sentence."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    env: Literal["production", "development"] = Field(
        default="production", description="development allows the clock offset and the issuer"
    )
    database_owner_url: str = Field(default="", description="PostgreSQL as the owner, for migrations and rebuilds only")
    database_api_url: str = Field(default="", description="PostgreSQL as the role `api`")
    database_work_url: str = Field(default="", description="PostgreSQL as the role `work`")
    database_frames_url: str = Field(default="", description="PostgreSQL as the role `frames` (device-telemetry only)")
    kafka: str = Field(default="", description="host:port of Kafka, several separated by commas")
    http_host: str = Field(default="127.0.0.1", description="where the API listens")
    http_port: int = Field(default=8080, ge=0, le=PORT_MAX, description="0 = any free port")
    metrics_host: str = Field(default="127.0.0.1", description="where metrics and health listen")
    metrics_port: int = Field(default=9100, ge=0, le=PORT_MAX, description="0 = any free port")
    issuer: str = Field(default="", description="the `iss` of tokens, exactly")
    jwks: str = Field(default="", description="URL of the issuer's public keys")
    audience: str = Field(default="", description="the `aud` of tokens, exactly")
    secrets_dir: Path | None = Field(default=None, description="folder with master-<hex>.key and fingerprint.key, and settings as files")
    topics_file: Path | None = Field(default=None, description="deploy/kafka/topics.toml")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level that is logged")
    build: str = Field(default="development", description="what /v1/meta calls this build")

    def __init__(self, **given: Any) -> None:
        """Reads the environment. Raises: SettingsUnfit with a sentence a setting, never with its value."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            told = [f"{PREFIX}{str(fault['loc'][-1]).upper()}: {fault['msg']}" for fault in error.errors(include_input=False)]
            raise SettingsUnfit("; ".join(told)) from None

    @property
    def development(self) -> bool:
        """Is this not production?"""
        return self.env == "development"

    def need(self, *names: str) -> Self:
        """These settings, all given. Raises: SettingsUnfit that names every missing one and what it is."""
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            told = "; ".join(f"{PREFIX}{name.upper()} ({type(self).model_fields[name].description})" for name in missing)
            raise SettingsUnfit(f"Not set: {told}. Set {'it' if len(missing) == 1 else 'them'} in the environment and start again.")
        return self

    def shown(self) -> dict[str, Any]:
        """What is in force, for people: passwords hidden."""
        return {f"{PREFIX}{name.upper()}": _shown(getattr(self, name)) for name in type(self).model_fields}

    def __repr_args__(self) -> Iterable[tuple[str, Any]]:
        """Never a password: a repr ends up in logs."""
        return self.shown().items()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then files named like the variable in the secrets folder. No .env file is looked for."""
        folder = os.environ.get(f"{PREFIX}SECRETS_DIR")
        files = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if folder and Path(folder).is_dir() else ()
        return init_settings, env_settings, *files


def _shown(value: Any) -> Any:
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        if parts.password is not None:
            return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", f":{HIDDEN}@"), query="").geturl()
    return str(value) if isinstance(value, Path) else value
