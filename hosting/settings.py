"""Settings from the environment: CLAIMFLOW_<NAME> is shared, CLAIMFLOW_<SERVICE>_<NAME> belongs to one service.

An unknown variable is refused with a guess at what was meant, and no message shows a value. A secret may come from
a file: CLAIMFLOW_..._FILE names it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from hosting.exits import CannotStartError, Exit

PREFIX = "CLAIMFLOW_"
OWNERS = ("INTAKE", "ASSESSMENT", "PAYMENT", "NOTIFY", "OPS", "SIM", "TEST", "LOCAL")
"""Name parts whose variables their owner checks, so that one environment serves all processes of a machine."""

# Read by parts that start before or beside a service, and so known everywhere.
COMMON_NAMES = frozenset(
    {"CRASH_AT", "HOME", "POSTGRES", "POSTGRES_PASSWORD_FILE", "PYTHON", "KAFKA_IMAGE", "POSTGRES_IMAGE"}
)


class SettingsError(CannotStartError):
    """The settings are wrong: one line that names the variable and the rule, never the value."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.usage)


class SharedSettings(BaseModel):
    """What every process takes: where the log is, which engine, who am I, how to log."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    profile: Literal["demo", "test", "production"] = "demo"
    kafka: str = Field("127.0.0.1:9092", pattern=r"^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$")
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    engine: Literal["faust", "aiokafka"] = "faust"
    partitions: int = Field(8, ge=1, le=1024)
    instance: str = Field("1", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    release: str = Field("dev", pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")
    log: Literal["auto", "text", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    keys_database: str | None = None
    master_key_file: Path | None = None


class ProcessSettings(SharedSettings):
    """A service's settings: subclass, and add fields; the service's own are CLAIMFLOW_<SERVICE>_<FIELD>.

    `stall_seconds`: backlog without progress for so long is unhealthy and ends the process.
    """

    database: str = Field(pattern=r"^postgresql\+asyncpg://\S+$")
    database_pool: int = Field(6, ge=2, le=64)
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65_535)
    stall_seconds: int = Field(120, ge=10, le=86_400)

    @field_validator("host")
    @classmethod
    def _host_is_plain(cls, host: str) -> str:
        if not host or any(character.isspace() or character in "/:@" for character in host):
            raise ValueError("must be a host name or an IPv4 address")
        return host

    @model_validator(mode="after")
    def _production_names_everything(self) -> Self:
        if self.profile == "production" and self.keys_database is not None and self.master_key_file is None:
            raise ValueError("production needs master_key_file")
        return self


Settings = TypeVar("Settings", bound=SharedSettings)
_SHARED = frozenset(SharedSettings.model_fields)


def load_settings(model: type[Settings], service: str | None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of one process; SettingsError in one line for anything unknown, missing or wrong."""
    environment = os.environ if environment is None else environment
    names = {variable_of(field, service): field for field in model.model_fields}
    values: dict[str, Any] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX):
            continue
        if variable in names:
            values[names[variable]] = value
        elif variable.endswith("_FILE") and variable[: -len("_FILE")] in names:
            values[names[variable[: -len("_FILE")]]] = _from_file(variable, value)
        elif not _foreign(variable, service):
            raise SettingsError(_unknown(variable, names))
    try:
        return model.model_validate(values)
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False, include_context=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        where = variable_of(field, service) if field else "the settings"
        said = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ").lower()
        raise SettingsError(f"{where}: {said}") from None


def variable_of(field: str, service: str | None) -> str:
    """The environment variable of a field: shared ones carry no service's name."""
    owner = "" if field in _SHARED or service is None else service.upper().replace("-", "_") + "_"
    return f"{PREFIX}{owner}{field.upper()}"


def _foreign(variable: str, service: str | None) -> bool:
    rest = variable.removeprefix(PREFIX)
    if rest in COMMON_NAMES or (service is None and rest.lower() in _SHARED):
        return True
    mine = (service or "").upper().replace("-", "_")
    return any(rest.startswith(f"{owner}_") for owner in OWNERS if owner != mine)


def _unknown(variable: str, names: Mapping[str, str]) -> str:
    known = [*names, *(PREFIX + name for name in COMMON_NAMES)]
    close = difflib.get_close_matches(variable, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else "; `claimflow config show` lists what there is"
    return f"{variable} is no setting{hint}"


def _from_file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{variable}: the file it names cannot be read") from None
