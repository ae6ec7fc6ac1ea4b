"""The generated files of schemas/ and docs/: what they must say, and whether a change fits inside its major version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from cli.operations_page import operations_page
from cli.terms_page import TERMS_PAGE, terms_page
from schemas.compatibility import Verdict, compare
from schemas.documents import asyncapi, model_documents
from schemas.flow import flow_page
from services.assessment.adapters.adjudication_schema import document_schema

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "schemas"
DOCS = ROOT / "docs"
ADJUDICATION = "adjudication"


def generated() -> dict[Path, str]:
    """Each generated file with its text."""
    schemas = documents()
    files = {FOLDER / "json" / f"{name}.json": text for name, text in schemas.items() if name != ADJUDICATION}
    files[DOCS / f"{ADJUDICATION}.schema.json"] = schemas[ADJUDICATION]
    text = yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=120)
    files[FOLDER / "asyncapi.yaml"] = text
    files[DOCS / "flow.md"] = flow_page()
    files[DOCS / "operations.md"] = operations_page()
    files[TERMS_PAGE] = terms_page()
    return files


def documents() -> dict[str, str]:
    """Each JSON Schema as text by its name: those of records, and of the document that is adjudicated on trial."""
    return {name: _json(schema) for name, schema in {**model_documents(), ADJUDICATION: document_schema()}.items()}


def differing() -> list[Path]:
    """The generated files that are missing or say something else; schemas nothing stands behind any more included."""
    wanted = generated()
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    return sorted([*stale, *(path for path in (FOLDER / "json").glob("*.json") if path not in wanted)])


def verdicts() -> dict[str, list[Verdict]]:
    """By schema name: what would change against the committed files; a schema that would vanish is breaking."""
    documents = model_documents()
    found: dict[str, list[Verdict]] = {}
    for path in sorted((FOLDER / "json").glob("*.json")):
        old = json.loads(path.read_text("utf-8"))
        if path.stem in documents:
            changes = compare(old, documents[path.stem])
        else:
            changes = [Verdict(True, "/", "the type was removed: records that carry it become unreadable")]
        if changes:
            found[path.stem] = changes
    return found


def write() -> list[Path]:
    """Writes what differs; the paths written or removed."""
    wanted, touched = generated(), differing()
    for path in touched:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return touched


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
