"""The whole story on a built-in sandbox: no NPM is needed, nothing is left behind."""

import argparse

from proxysync.demo.scenario import play


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="keep running afterwards")


def run(arguments: argparse.Namespace) -> int:
    play(lambda text: print(text, flush=True), keep=arguments.keep)
    return 0
