"""A plan as JSON, text, Markdown and annotations, all drawn from the one value."""

from proxysync.plan.render.as_annotations import to_annotations
from proxysync.plan.render.as_json import edits_to_json, to_json
from proxysync.plan.render.as_markdown import to_markdown
from proxysync.plan.render.as_text import edit_lines, to_text

__all__ = [
    "edit_lines",
    "edits_to_json",
    "to_annotations",
    "to_json",
    "to_markdown",
    "to_text",
]
