"""One upstream's checks, syntax → dns → tcp → http, and an engine that runs many at once.

`model` holds the values, `engine.probe_one` and `engine.probe_many` run the checks from plain
code, and `check.check` is the coroutine below them, for a caller with an event loop of its own.
"""
