"""The `--format` flag."""

import argparse


def add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    parser.add_argument(
        "--format",
        choices=("text", "json", *more),
        default="text",
        help="how to print it; JSON goes alone to stdout (default: text)",
    )
