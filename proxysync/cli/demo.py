"""The whole story on a built-in sandbox: no NPM is needed, nothing is left behind."""

import argparse

from proxysync.demo.scenario import run_scenario


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="keep running afterwards")


def run(arguments: argparse.Namespace) -> int:
    run_scenario(lambda text: print(text, flush=True), keep=arguments.keep)
    return 0
