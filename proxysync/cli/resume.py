"""Ends the hold after a rollback: a daemon brings NPM in line with the file again.

Also what somebody else has changed again and again, and was left alone for that, is put right.
"""

import argparse


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(arguments: argparse.Namespace) -> int:
    import os
    import signal

    from proxysync.apply.lock import daemon_pid
    from proxysync.cli import context

    env = context.environment(arguments)
    store = context.open_store(env)
    try:
        held = store.state.hold() is not None
        store.state.clear_hold()
        left = store.state.contests.end()
    finally:
        store.database.close()
    pid = daemon_pid(env.state_dir)
    if (held or left) and pid is not None:
        os.kill(pid, signal.SIGHUP)
    if left:
        print("What was left to somebody else, who changed it again and again, is put right again.")
    print("The hold is over." if held else "There was no hold.")
    return 0
