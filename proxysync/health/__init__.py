"""Watching what is live: when to check whom, and when a status has changed."""
