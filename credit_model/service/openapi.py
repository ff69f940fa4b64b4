"""The OpenAPI 3.1 document of the service, for the card that is served now.

In: what is served, the settings. Out: the document as plain values; it refers to nothing outside itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from credit_model.assessment.evaluator import PURPOSES
from credit_model.foundation.json_values import JsonObject
from credit_model.foundation.version import __version__
from credit_model.service.endpoints import features_of
from credit_model.service.requests import COLUMN, LONGEST_TEXT, TEXT
from credit_model.service.settings import CALLER

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card
    from credit_model.service.settings import Settings

Schema = dict[str, Any]

_LARGEST = 1.7976931348623157e308
_DATE: Schema = {"type": "string", "format": "date"}
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": TEXT}
_INTEGER: Schema = {"type": "integer"}
_STRING: Schema = {"type": "string"}
_PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_STATUS: Schema = {"type": "string", "enum": ["scored", "insufficient_records", "not_eligible"]}
_ERRORS = {
    401: "Nobody known asks.",
    405: "This method is not answered here.",
    413: "The body is too long, or has too many rows.",
    415: "The body is not declared as application/json.",
    422: "The request cannot be taken: not JSON, NaN, null where a value is needed, unknown or missing names, wrong "
    "types, a purpose that is not permitted, no authorisation, records that ingest refuses.",
    500: "A fault of the service; only its kind is told.",
    503: "No model could be loaded, or the ledger or the log cannot be used.",
}
_CARD: Schema = {
    "card_id": {**_STRING, "description": "Name of the card and the start of its digest."},
    "card_digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "card_version": {"type": ["integer", "null"], "description": "Version in the registry; null for a card by path."},
}


def document(card: Card | None, settings: Settings) -> Schema:
    """Return the OpenAPI document; without a card, features are described as numbers or text of any name."""
    posted = [401, 413, 415, 422, 500, 503]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "credit_model evaluation service",
            "version": __version__,
            "summary": "A registered scorecard answers: one person assessed, rows scored. Every query is kept.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/assess": {"post": _operation(
                "assess", "Assess one person, of the ledger or with the records sent.",
                _ref("Assessment"), posted, settings, {"oneOf": [_ref("AssessSubject"), _ref("AssessRecords")]},
            )},
            "/score": {"post": _operation(
                "score", "Score rows of features.",
                _ref("Scores"), posted, settings, {"oneOf": [_ref("ScoreRows"), _ref("ScoreColumns")]},
            )},
            "/model": {"get": _operation("model", "The card in service, and what it reads.", _ref("Model"), [503])},
            "/health": {"get": _health_operation()},
            "/openapi.json": {"get": _operation("openapi", "This page.", {"type": "object"}, [])},
        },
        "components": {
            "schemas": {**_request_schemas(card, settings), **_answer_schemas()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}} if settings.callers else {},
        },
    }  # fmt: skip


def _operation(
    name: str,
    summary: str,
    answer: Schema,
    errors: list[int],
    settings: Settings | None = None,
    body: Schema | None = None,
) -> Schema:
    operation: Schema = {"operationId": name, "summary": summary, "responses": {"200": _answer("The answer.", answer)}}
    operation["responses"] |= {str(status): _answer(_ERRORS[status], _ref("Error")) for status in errors}
    if settings is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        if settings.callers:
            operation["security"] = [{"token": []}]
        else:
            caller = {"type": "string", "pattern": f"^{CALLER}$"}
            operation["parameters"] = [{"name": "X-Caller", "in": "header", "required": True, "schema": caller}]
    return operation


def _health_operation() -> Schema:
    operation = _operation(
        "health", "Whether the service answers, and what is not as it should be.", _ref("Health"), []
    )
    operation["responses"]["503"] = _answer("No model could be loaded.", _ref("Health"))
    return operation


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, optional: tuple[str, ...] = (), **more: object) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def _list(items: Schema, **more: object) -> Schema:
    return {"type": "array", "items": items, **more}


def _request_schemas(card: Card | None, settings: Settings) -> Schema:
    envelope = {"purpose": _ref("Purpose"), "authorisation": _ref("Authorisation")}
    subject = {"subject_id": _ref("Subject")}
    features = {} if card is None else {f["name"]: _feature(f) for f in features_of(card)}
    row = _object({**features, **subject}, ("subject_id",))
    columns = _object(
        {name: _list(schema, minItems=1, maxItems=settings.rows) for name, schema in {**features, **subject}.items()},
        ("subject_id",),
        description="As many values in every column.",
    )
    if card is None:
        row = columns = {"type": "object"}
    own = {
        "type": "object",
        "propertyNames": {"pattern": COLUMN},
        "additionalProperties": {"type": ["string", "number", "null"]},
    }
    as_of = {**_DATE, "type": ["string", "null"], "description": "The start of that day; live where left out."}
    return {
        "Purpose": {"type": "string", "enum": list(PURPOSES)},
        "Authorisation": {**_TEXT, "description": "Reference of the authorisation; never an identity number."},
        "Subject": {**_TEXT, "description": "A pseudonym; never an identity number."},
        "Row": {**row, "description": "One value for each feature of the card."},
        "Columns": columns,
        "ScoreRows": _object({**envelope, "rows": _list(_ref("Row"), minItems=1, maxItems=settings.rows)}),
        "ScoreColumns": _object({**envelope, "columns": _ref("Columns")}),
        "AssessSubject": _object({**envelope, "subject_id": _ref("Subject"), "as_of": as_of}, ("as_of",)),
        "AssessRecords": _object(
            {
                **envelope,
                "subject": {**own, "description": "Columns of ingest for subjects; subject_id or id_number."},
                "records": _list(own, description="Columns of ingest for records; the person is the subject."),
                "amendments": _list(own, description="Columns of ingest for amendments of the records sent."),
                "as_of": as_of,
            },
            ("records", "amendments", "as_of"),
        ),
    }


def _feature(feature: JsonObject) -> Schema:
    kind: Schema = {"type": "string"}
    if feature["type"] == "number":
        kind = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
    if feature["may_be_null"]:
        kind["type"] = [kind["type"], "null"]
    return {**kind, "description": f"{feature['label_zh']} {feature['label_en']}"}


def _answer_schemas() -> Schema:
    reason = _object(
        {
            "code": _STRING,
            "text_zh": _STRING,
            "text_en": _STRING,
            "points": _INTEGER,
            "record_ids": _list(_STRING),
            "earliest_change_on": {**_DATE, "type": ["string", "null"]},
        }
    )
    statutory = _object(
        {
            "kind": _STRING,
            "label_zh": _STRING,
            "label_en": _STRING,
            "record_id": _STRING,
            "decided_on": {**_DATE, "type": ["string", "null"]},
            "authority_zh": _STRING,
            "authority_en": _STRING,
            "ends_on": {**_DATE, "type": ["string", "null"]},
            "disputed": {"type": "boolean"},
        }
    )
    digests = _object({name: {"type": ["string", "null"]} for name in ("ledger_digest", "catalogue_digest", "policy")})
    feature = {"name": _STRING, "type": {"enum": ["number", "text"]}, "may_be_null": {"type": "boolean"}}
    moment = {"type": "string", "format": "date-time"}
    return {
        "Error": _object(
            {
                "error": _object(
                    {
                        "code": {**_STRING, "description": "For programs; does not change."},
                        "message": {**_STRING, "description": "One line for people; holds no value that was sent."},
                        "where": _list(_STRING, description="Fields, columns or rows meant."),
                    }
                )
            }
        ),
        "Assessment": _object(
            {
                "subject_id": _STRING,
                "status": _STATUS,
                "thin_file": {"type": "boolean"},
                "score": {"type": ["integer", "null"]},
                "probability_of_bad": {**_PROBABILITY, "type": ["number", "null"]},
                "grade": {"type": ["string", "null"]},
                "reasons": _list(reason, maxItems=4),
                "positives": _list(reason),
                "statutory_status": _list(statutory),
                "as_of": _DATE,
                "live": {"type": "boolean"},
                "record_ids": _list(_STRING),
                "purpose": _ref("Purpose"),
                "authorisation": _STRING,
                "requires_human": {"type": "boolean"},
                "explanation_zh": _STRING,
                "explanation_en": _STRING,
                **_CARD,
            }
        ),
        "Scores": _object(
            {
                "score": _list(_INTEGER),
                "probability_of_bad": _list(_PROBABILITY),
                "grade": _list(_STRING),
                **_CARD,
            },
            description="One value a row in each list, in the order of the rows.",
        ),
        "Model": _object(
            {
                **_CARD,
                "name": _STRING,
                "alias": {"type": ["string", "null"]},
                "source": _STRING,
                "loaded_at": moment,
                "made_from": digests,
                "assesses_from": digests,
                "features": _list(_object({**feature, "label_zh": _STRING, "label_en": _STRING})),
                "reference_score": _INTEGER,
                "least_score": _INTEGER,
                "greatest_score": _INTEGER,
                "grades": _list(_STRING),
                "purposes": _list(_ref("Purpose")),
                "package_version": _STRING,
            }
        ),
        "Health": _object(
            {
                "status": {"enum": ["ok", "degraded", "unavailable"]},
                "model": {"oneOf": [_object({**_CARD, "loaded_at": moment}), {"type": "null"}]},
                "checked_at": {**moment, "type": ["string", "null"]},
                "problems": _list(_STRING),
            }
        ),
    }
