"""The JSON Schema of a document to be adjudicated: the models' own, with what may be left out and written plainly."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from services.assessment.adapters.adjudication_document import AdjudicationDocument
from services.assessment.adapters.plain_values import PLAIN_AMOUNT
from services.assessment.adapters.simulation import Simulated

JsonObject = dict[str, Any]
LEFT_OUT = {"Coverage": ["clause_version"], "ReportedLine": ["line_id", "coverage_code"]}
"""What the document completes: the form's text version, lines counted from 1, the policy's only coverage."""

_ANSWERS = (
    "Simulated",
    "CoverageResult",
    "DecisionKind",
    "DecisionLine",
    "LedgerUse",
    "ReferralReason",
    "Refusal",
    "Step",
)
_DAY = r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?)?$"
_MOMENT = "A day (its first instant), a time, both in the loss's zone, or an instant with its offset."
_AMOUNT = "In the policy's currency as plain decimals, or with its currency."


def document_schema() -> JsonObject:
    """JSON Schema 2020-12 of the document, whole in itself."""
    found = component_schemas("#/$defs/{model}")
    for name in _ANSWERS:
        del found[name]
    root = found.pop("AdjudicationDocument")
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Adjudication"}
    return {**about, **{key: value for key, value in root.items() if key != "title"}, "$defs": found}


def component_schemas(ref: str) -> JsonObject:
    """Document and answer with all they are made of, by name; `ref` says how they refer to each other."""
    models: Any = [(AdjudicationDocument, "validation"), (Simulated, "serialization")]
    found: JsonObject = models_json_schema(models, ref_template=ref)[1]["$defs"]
    plain = {name: _plain(schema, name in _ANSWERS) for name, schema in found.items()}
    for name, schema in plain.items():
        if schema.get("type") == "object" and "properties" in schema and name not in _ANSWERS:
            schema["additionalProperties"] = False
        if name in LEFT_OUT:
            schema["required"] = [one for one in schema["required"] if one not in LEFT_OUT[name]]
            if not schema["required"]:
                del schema["required"]
    plain["DisclosureEvidence"] = {"anyOf": [plain["DisclosureEvidence"], {"type": "string", "title": "Clause id"}]}
    return dict(sorted(plain.items()))


def _plain(schema: Any, answer: bool) -> Any:
    """The schema without our marks, plain amounts and days let in beside the full forms."""
    if isinstance(schema, list):
        return [_plain(one, answer) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _plain(one, answer) for name, one in schema.items() if name != "x-privacy"}
    if schema.get("format") == "date-time" and not answer:
        return {"type": "string", "pattern": _DAY, "description": _MOMENT}
    if schema.get("properties", {}).keys() == {"amount", "currency"} and not answer:
        plain = {"type": ["string", "number"], "pattern": PLAIN_AMOUNT, "minimum": 0}
        title = {"title": schema["title"]} if "title" in schema else {}
        return {**title, "description": _AMOUNT, "anyOf": [plain, _slim(schema)]}
    # Numbers are taken as they are written, wherever a text may be one.
    text = not answer and schema.get("type") == "string" and not {"enum", "const"} & set(schema)
    return {**schema, "type": ["string", "number"]} if text and re.search(schema.get("pattern", ""), "1") else schema


def _slim(money: JsonObject) -> JsonObject:
    """Without the list of all currencies, which would stand at every amount: the policy's one is what counts."""
    return {name: value for name, value in money.items() if name != "oneOf"} | {"additionalProperties": False}
