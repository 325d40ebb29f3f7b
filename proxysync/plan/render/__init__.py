"""A plan as JSON, text, Markdown and annotations, all drawn from the one value."""

from proxysync.plan.render.as_annotations import to_annotations
from proxysync.plan.render.as_json import to_json
from proxysync.plan.render.as_markdown import to_markdown
from proxysync.plan.render.as_text import to_text

__all__ = ["to_annotations", "to_json", "to_markdown", "to_text"]
