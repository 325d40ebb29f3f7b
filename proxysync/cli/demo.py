"""The whole story on a built-in sandbox: no NPM is needed, nothing is left behind."""

import argparse
from signal import SIG_IGN, SIGHUP, SIGTERM, default_int_handler, getsignal, signal

from proxysync.demo.scenario import run_scenario


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="keep running afterwards")


def run(arguments: argparse.Namespace) -> int:
    for number in (SIGTERM, SIGHUP):  # else its daemon would outlive a terminal that is closed
        if getsignal(number) is not SIG_IGN:
            signal(number, default_int_handler)
    run_scenario(lambda text: print(text, flush=True), keep=arguments.keep)
    return 0
