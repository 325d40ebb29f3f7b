"""A plan as JSON, text and Markdown, all drawn from the one value."""

from proxysync.plan.render.as_json import to_json
from proxysync.plan.render.as_markdown import to_markdown
from proxysync.plan.render.as_text import to_text
from proxysync.plan.render.values import IdNames

__all__ = ["IdNames", "to_json", "to_markdown", "to_text"]
