"""The settings of a service process: from ERBIUM_* in the environment, or files in the folder that ERBIUM_SECRETS_DIR names."""

import os
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from erbium_kernel.database_url import fit

PREFIX = "ERBIUM_"
PORT_MAX = 65_535
HIDDEN = "(hidden)"

# What each way of starting needs of every service (`Service.needs` adds to it); `need` names everything that is missing at once.
NEEDS = {
    "api": ("database_api_url", "issuer", "jwks", "audience", "secrets_dir"),
    "work": ("database_work_url", "kafka", "secrets_dir", "topics_file"),
    "all": ("database_api_url", "database_work_url", "kafka", "issuer", "jwks", "audience", "secrets_dir", "topics_file"),
    "migrate": ("database_owner_url",),
    "rebuild": ("database_owner_url", "database_work_url"),
    "parked": ("database_work_url",),
    "keys": ("database_work_url", "secrets_dir"),
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
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how Kafka is spoken to; SSL in the name: encrypted, SASL: with user and password"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="how Kafka checks the password"
    )
    kafka_user: str = Field(default="", description="who we are to Kafka, with SASL")
    kafka_password_file: Path | None = Field(default=None, description="file with the password for Kafka, with SASL")
    kafka_ca_file: Path | None = Field(
        default=None, description="authority (PEM) that has signed Kafka's certificate; without it those that the machine trusts"
    )
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

    @field_validator("database_owner_url", "database_api_url", "database_work_url", "database_frames_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return fit(value) if value else value

    def __init__(self, **given: Any) -> None:
        """Reads the environment. Raises: SettingsUnfit with a sentence a setting, never with its value."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            faults = [(fault["loc"][-1], fault["msg"].removeprefix("Value error, ")) for fault in error.errors(include_input=False)]
            told = [f"{PREFIX}{str(name).upper()}: {what}" for name, what in faults]
            raise SettingsUnfit("; ".join(told)) from None

    @property
    def development(self) -> bool:
        """Is this not production?"""
        return self.env == "development"

    def need(self, *names: str) -> Self:
        """These settings, all given. Raises: SettingsUnfit that names every missing one and what it is."""
        missing = [name for name in dict.fromkeys(names) if not getattr(self, name)]
        if missing:
            told = "; ".join(f"{PREFIX}{name.upper()} ({type(self).model_fields[name].description})" for name in missing)
            raise SettingsUnfit(f"Not set: {told}. Set {'it' if len(missing) == 1 else 'them'} in the environment and start again.")
        return self

    @property
    def kafka_security(self) -> Mapping[str, Any]:
        """What every client of Kafka is made with besides the address, in aiokafka's words.

        The files are read anew each time, so a changed password is used by the next client. Raises: SettingsUnfit.
        """
        found: dict[str, Any] = {"security_protocol": self.kafka_security_protocol}
        if self.kafka_security_protocol.startswith("SASL"):
            password_file = self.need("kafka_user", "kafka_password_file").kafka_password_file
            assert password_file is not None
            found |= {"sasl_mechanism": self.kafka_sasl_mechanism, "sasl_plain_username": self.kafka_user}
            found["sasl_plain_password"] = _read(password_file, "kafka_password_file")
        if self.kafka_security_protocol.endswith("SSL"):
            try:
                found["ssl_context"] = ssl.create_default_context(cafile=self.kafka_ca_file)
            except OSError:  # an SSLError is one
                raise SettingsUnfit(f"{PREFIX}KAFKA_CA_FILE: no file that can be read and holds certificates (PEM).") from None
        return found

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


def _read(file: Path, name: str) -> str:
    """The one line in it. Raises: SettingsUnfit."""
    try:
        found = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found:
        raise SettingsUnfit(f"{PREFIX}{name.upper()}: no file that can be read and holds something.")
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        options = "&".join(option for option in parts.query.split("&") if "password" not in option)
        who, at, where = parts.netloc.rpartition("@")
        user, colon, _ = who.partition(":")
        return parts._replace(netloc=f"{user}{colon}{HIDDEN if colon else ''}{at}{where}", query=options).geturl()
    return str(value) if isinstance(value, Path) else value
