"""Flags that several commands have."""

import argparse


def add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    parser.add_argument(
        "--format",
        choices=("text", "json", *more),
        default="text",
        help="how to print it; JSON goes alone to stdout (default: text)",
    )


def add_lock_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lock-timeout",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="how long to wait while another proxysync is writing (default: 60)",
    )
