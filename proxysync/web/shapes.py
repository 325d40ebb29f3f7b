"""The shapes of all answers, as JSON Schema: what the `to_json` of the use cases gives.

A test holds real answers against them, keys that are not here included.
"""

from typing import Any

from proxysync.model.event import SEVERITIES, SOURCES
from proxysync.probe.model import STEPS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TIME: Schema = {"type": "string", "format": "date-time"}
ANY: Schema = {}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def each(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def windows(schema: Schema) -> Schema:
    """One for each span of time that uptime is counted in."""
    return {"type": "object", "additionalProperties": schema}


def fields(always: Schema, sometimes: Schema | None = None) -> Schema:
    """An object with these keys; those of `sometimes` may be missing."""
    properties = {**always, **(sometimes or {})}
    return {"type": "object", "properties": properties, "required": list(always)}


ENTRY: Schema = {
    "kind": TEXT,
    "name": maybe(TEXT),
    "managed": FLAG,
    "npm_id": maybe(COUNT),
    "domains": each(TEXT),
    "upstream": maybe(TEXT),
    "holder": maybe(TEXT),
    "enabled": FLAG,
    "note": maybe(TEXT),
    "tags": each(TEXT),
    "sync": TEXT,
    "detail": maybe(TEXT),
    "hint": maybe(TEXT),
    "since": maybe(TIME),
    "next_try": maybe(TIME),
    "health": one_of("unknown", "healthy", "unhealthy"),
    "health_since": maybe(TIME),
    "health_detail": maybe(TEXT),
    "health_hint": maybe(TEXT),
    "checked_at": maybe(TIME),
    "health_valid_until": maybe(TIME),
    "latency_ms": maybe(COUNT),
    "stale": FLAG,
    "edge": TEXT,
    "edge_since": maybe(TIME),
    "edge_detail": maybe(TEXT),
    "edge_hint": maybe(TEXT),
    "edge_checked_at": maybe(TIME),
    "watched": FLAG,
    "uptime": windows(maybe(SHARE)),
    "uptime_since": windows(maybe(TIME)),
    "uptime_known_seconds": windows(COUNT),
}
OF_STATUS: Schema = {
    "warnings": each(ref("Warning")),
    "commit": maybe(TEXT),
    "fingerprint": maybe(TEXT),
}
RUN: Schema = {
    "id": COUNT,
    "started": TIME,
    "ended": maybe(TIME),
    "why": TEXT,
    "outcome": maybe(TEXT),
    "under_way": FLAG,
    "commit": maybe(TEXT),
}
APPLIED: Schema = {
    "action": TEXT,
    "kind": TEXT,
    "name": TEXT,
    "npm_id": maybe(COUNT),
    "outcome": maybe(TEXT),
    "message": TEXT,
}
NOTE = fields({"kind": TEXT, "name": TEXT, "message": TEXT})
PROBED: Schema = {"ok": FLAG, "steps": each(ref("Step"))}
EDITS = each(fields({"path": TEXT, "from": ANY, "to": ANY}))
FROM_TO = {"type": "object", "additionalProperties": fields({"from": ANY, "to": ANY})}
ERROR = fields({"code": TEXT, "message": TEXT, "hint": maybe(TEXT)})

SHAPES: dict[str, Schema] = {
    "Error": fields({"error": ERROR}),
    "Warning": fields({"event": TEXT, "message": TEXT, "since": maybe(TIME)}),
    "Event": fields(
        {
            "id": COUNT,
            "ts": TIME,
            "severity": one_of(*SEVERITIES),
            "source": one_of(*SOURCES),
            "event": TEXT,
            "kind": maybe(TEXT),
            "name": maybe(TEXT),
            "message": TEXT,
            "data": {"type": "object"},
        }
    ),
    "EntryStatus": fields(ENTRY),
    "EntryDetails": fields(
        {
            **ENTRY,
            "changes": each(ref("Event")),
            "definition": maybe({"type": "object"}),
            "fingerprint": maybe(TEXT),
        }
    ),
    "Proxies": fields({"proxies": each(ref("EntryStatus")), **OF_STATUS}),
    "Resources": fields({"resources": each(ref("EntryStatus")), **OF_STATUS}),
    "Plan": fields(
        {
            "summary": {"type": "object", "additionalProperties": COUNT},
            "changes": each(ref("Change")),
            "refused": maybe(TEXT),
        },
        {"warnings": each(NOTE), "adopt": TEXT},
    ),
    "Change": fields(
        {
            "action": TEXT,
            "kind": TEXT,
            "name": TEXT,
            "npm_id": maybe(COUNT),
            "drift": FLAG,
            "fields": FROM_TO,
            "edits": EDITS,
            "reason": TEXT,
        },
        {
            "takes": fields({"npm_id": COUNT}),
            "held": fields({"kind": TEXT, "reason": TEXT}),
        },
    ),
    "Events": fields({"events": each(ref("Event")), "next_before": maybe(COUNT)}),
    "History": fields({"runs": each(fields({**RUN, "changes": each(fields(APPLIED))}))}),
    "Run": fields({**RUN, "changes": each(fields({**APPLIED, "edits": EDITS}))}),
    "Step": fields(
        {
            "name": one_of(*STEPS),
            "status": one_of("pass", "fail", "warn", "skipped"),
            "detail": TEXT,
            "hint": maybe(TEXT),
            "duration_ms": COUNT,
        }
    ),
    "Verdict": fields(
        {
            "kind": TEXT,
            "name": TEXT,
            "upstream": maybe(TEXT),
            **PROBED,
            "blocks": FLAG,
            "skipped": maybe(TEXT),
            "locations": each(fields({"path": TEXT, "upstream": TEXT, **PROBED})),
        }
    ),
    "Problem": fields(
        {
            "file": TEXT,
            "line": COUNT,
            "column": COUNT,
            "path": TEXT,
            "message": TEXT,
            "hint": maybe(TEXT),
        }
    ),
    "ValidationResult": fields(
        {"results": each(ref("Verdict"))},
        {"problems": each(ref("Problem")), "warnings": each(NOTE)},
    ),
    "Edited": fields(
        {
            "kind": TEXT,
            "name": TEXT,
            "file": TEXT,
            "written": FLAG,
            "validation": maybe(ref("Verdict")),
            "fingerprint": TEXT,
            "apply": maybe(
                fields(
                    {
                        "outcome": one_of("applied", "replaced", "failed", "pending", "unchanged"),
                        "events": each(ref("Event")),
                    }
                )
            ),
        }
    ),
    "NotEdited": fields(
        {"error": ERROR, "results": each(ref("Verdict"))}, {"problems": each(ref("Problem"))}
    ),
    "Histories": fields(
        {
            "today": TEXT,
            "entries": each(
                fields(
                    {
                        "kind": TEXT,
                        "name": TEXT,
                        "days": each(maybe(SHARE)),
                        "latencies": each(maybe(COUNT)),
                    }
                )
            ),
        }
    ),
    "EntryHistory": fields(
        {
            "kind": TEXT,
            "name": TEXT,
            "days": each(
                fields(
                    {
                        "day": TEXT,
                        "checks": COUNT,
                        "ok": COUNT,
                        "p50": maybe(COUNT),
                        "p95": maybe(COUNT),
                    }
                )
            ),
            "checks": each(fields({"at": TIME, "ok": FLAG, "latency_ms": maybe(COUNT)})),
        }
    ),
    "About": fields({"version": TEXT, "write": fields({"allowed": FLAG, "reason": maybe(TEXT)})}),
    "Liveness": fields({"status": TEXT, "version": TEXT}),
    "Readiness": fields(
        {
            "status": one_of("ready", "not ready"),
            "reasons": each(ref("Warning")),
            "synced_at": maybe(TIME),
        }
    ),
}
