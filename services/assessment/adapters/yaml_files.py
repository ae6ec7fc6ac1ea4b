"""Reads the files of rules and terms: what is wrong is named by file, place and field before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hosting.exits import CannotStartError, Exit
from schemas.model import Instant
from services.assessment.adapters.field_names import unknown_field

FILE_BYTES_MAX = 1024 * 1024
_TWO = "expected a single document in the stream"
Timestamp = Annotated[Instant, "effective-dated"]


class RuleFileError(CannotStartError):
    """A file of rules or terms cannot be used; one line with file, place and rule, never the value."""

    def __init__(self, file: Path, place: str, rule: str) -> None:
        super().__init__(f"{file.name}: {place}: {rule}" if place else f"{file.name}: {rule}", Exit.usage)
        self.place = place


class FileModel(BaseModel):
    """Unknown fields are refused: a term that is not understood must not be left out in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


Wanted = TypeVar("Wanted", bound=FileModel)


class _PlainLoader(yaml.SafeLoader):
    """Text stays text (no dates), and a key stands once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.MarkedYAMLError(problem="a key stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":float", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(file: Path, model: type[Wanted]) -> Wanted:
    """The file as a checked model; RuleFileError otherwise."""
    content = yaml_content(file)
    try:
        return model.model_validate(content, strict=False, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        unknown = first["type"] == "extra_forbidden"
        said = unknown_field(str(first["loc"][-1]), model) if unknown else first["msg"].removeprefix("Value error, ")
        raise RuleFileError(file, place_of(first["loc"]), said) from None


def yaml_content(file: Path) -> Any:
    """What stands in the file, not checked: texts, whole numbers, lists, mappings; RuleFileError if it is no YAML."""
    try:
        return yaml.load(file_text(file), _PlainLoader)
    except yaml.composer.ComposerError as error:
        rule = "holds more than one document" if error.context == _TWO else error.problem or "is not YAML"
        raise RuleFileError(file, _line_of(error), rule) from None
    except yaml.MarkedYAMLError as error:
        raise RuleFileError(file, _line_of(error), error.problem or "is not YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RuleFileError(file, "", "is not YAML") from None


def file_text(file: Path, encoding: str = "utf-8") -> str:
    """The file's text; RuleFileError if there is none, or too much."""
    try:
        return file_bytes(file).decode(encoding)
    except UnicodeDecodeError:
        raise RuleFileError(file, "", "cannot be read as UTF-8 text") from None


def file_bytes(file: Path) -> bytes:
    """What the file holds; RuleFileError if it is not there, no file, or too large."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise RuleFileError(file, "", f"is larger than {FILE_BYTES_MAX} bytes")
        return file.read_bytes()
    except FileNotFoundError:
        raise RuleFileError(file, "", "is not there") from None
    except IsADirectoryError:
        raise RuleFileError(file, "", "is a folder, not a file") from None
    except OSError:
        raise RuleFileError(file, "", "cannot be read") from None


def _line_of(error: yaml.MarkedYAMLError) -> str:
    return f"line {error.problem_mark.line + 1}" if error.problem_mark else ""


def place_of(parts: tuple[int | str, ...]) -> str:
    """`versions row 1, coverages row 2, code`: rows are counted from 1."""
    said: list[str] = []
    for part in parts:
        if isinstance(part, int) and said:
            said[-1] += f" row {part + 1}"
        else:
            said.append(str(part))
    return ", ".join(said)
