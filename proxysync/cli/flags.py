"""Flags that several commands have."""

import argparse

from proxysync.model.errors import ProxysyncError
from proxysync.values.limits import DeleteLimit
from proxysync.values.scalars import parse_duration


def add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    parser.add_argument(
        "--format",
        choices=("text", "json", *more),
        default="text",
        help="how to print it; JSON goes alone to stdout (default: text)",
    )


def seconds(text: str) -> float:
    """A number of seconds, or a duration as in the file, such as `1h30m`."""
    found = parse_duration(text)
    try:
        return float(text) if found is None else found
    except ValueError as error:
        message = f'"{text}" is not a duration (e.g. 90s or 5m)'
        raise argparse.ArgumentTypeError(message) from error


def whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number (e.g. 20)') from error


def add_lock_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lock-timeout",
        metavar="DURATION",
        type=seconds,
        default=60.0,
        help="how long to wait while another proxysync is writing: 90, 90s or 5m (default: 60)",
    )


def add_max_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-delete",
        metavar="LIMIT",
        help="let this share (100%%) or number of deletions and disablings pass once",
    )


def max_delete(arguments: argparse.Namespace) -> DeleteLimit | None:
    """The limit that was given, None for that of the file. Raises ProxysyncError."""
    if arguments.max_delete is None:
        return None
    try:
        return DeleteLimit.parse(arguments.max_delete)
    except ValueError as error:
        raise ProxysyncError(f"--max-delete {error}", hint="Write it as 100% or 5.") from error
