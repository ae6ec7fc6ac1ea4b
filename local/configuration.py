"""Every setting there is, with its value here and where it comes from. Secrets and passwords are hidden."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticUndefined

from hosting.settings import ProcessSettings, SharedSettings, variable_of
from local.settings import LocalSettings

SERVICES = ("intake", "assessment", "payment", "notify", "ops")
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]+):[^@\s]*@")
_SECRET_WORDS = ("password", "secret", "token")


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable. `origin` is environment, file, default, or supplied (by `claimflow up`)."""

    variable: str
    value: str
    origin: str


def settings_models() -> dict[str, type[SharedSettings]]:
    """The settings of every owner: the local system and each service."""
    models: dict[str, type[SharedSettings]] = {"local": LocalSettings}
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.settings")
        found = [
            held
            for held in vars(module).values()
            if isinstance(held, type) and issubclass(held, ProcessSettings) and held is not ProcessSettings
        ]
        models[service] = found[0]
    return models


def show(environment: Mapping[str, str]) -> list[Setting]:
    """All settings, shared ones first and once."""
    rows: dict[str, Setting] = {}
    for owner, model in settings_models().items():
        shared = SharedSettings.model_fields
        for name in sorted(model.model_fields, key=lambda field: (field not in shared, field)):
            variable = variable_of(name, owner)
            # A service may insist on a shared setting; the general entry already says what it is.
            rows.setdefault(variable, _setting(variable, model.model_fields[name], environment))
    for variable in ("CLAIMFLOW_HOME", "CLAIMFLOW_POSTGRES"):
        origin = "environment" if environment.get(variable) else "default"
        rows[variable] = Setting(variable, hidden(variable, environment.get(variable, "")), origin)
    return list(rows.values())


def hidden(variable: str, value: str) -> str:
    """The value as it may be shown."""
    secret = any(word in variable.lower() for word in _SECRET_WORDS) and not variable.endswith("_FILE")
    if secret:
        return "(hidden)" if value else ""
    return _PASSWORD.sub(r"\1:(hidden)@", value)


def _setting(variable: str, field: Any, environment: Mapping[str, str]) -> Setting:
    if environment.get(variable):
        return Setting(variable, hidden(variable, environment[variable]), "environment")
    file = f"{variable}_FILE"
    if environment.get(file):
        return Setting(variable, f"(in {environment[file]})", "file")
    supplied = variable.endswith("_DATABASE") or variable == "CLAIMFLOW_MASTER_KEY_FILE"
    if field.default is PydanticUndefined or (supplied and field.default is None):
        return Setting(variable, "", "supplied")
    return Setting(variable, "" if field.default is None else str(field.default), "default")
