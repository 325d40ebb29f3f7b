"""Flags that choose entries by more than their names."""

import argparse

from proxysync.app.choose import Only
from proxysync.kinds import KINDS


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", choices=tuple(KINDS), help="only entries of this kind")
    parser.add_argument("--tag", metavar="TAG", help="only entries with this tag")


def filters(arguments: argparse.Namespace) -> Only:
    """What was given of them."""
    return Only(arguments.kind, arguments.tag)
