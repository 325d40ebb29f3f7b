"""Prints the JSON Schema of proxies.yaml, for editors.

In VS Code, for one: proxysync schema > proxies.schema.json, and as first line of the file
  # yaml-language-server: $schema=proxies.schema.json
"""

import argparse

from proxysync.cli.terminal import print_json
from proxysync.config.json_schema import json_schema


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_arguments: argparse.Namespace) -> int:
    print_json(json_schema())
    return 0
