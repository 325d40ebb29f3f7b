"""The whole story on a built-in sandbox: no NPM is needed, nothing is left behind."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="stay up to play with afterwards")


def run(arguments: argparse.Namespace) -> int:
    from proxysync.demo.scenario import play

    play(lambda text: print(text, flush=True), keep=arguments.keep)
    return 0
