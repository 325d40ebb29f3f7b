"""Output that cannot be written: no bug of ours, and no success either."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="Linux alone has /dev/full")


def run(folder: Path, *words: str, also_stderr: bool = False) -> tuple[int, str]:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "proxysync", *words],
            env={"PROXYSYNC_STATE_DIR": str(folder / "state")},
            stdout=full,
            stderr=full if also_stderr else subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize("command", ["history", "schema"], ids=["one line", "more than a buffer"])
def test_a_full_disk_is_told_as_what_it_is(tmp_path: Path, command: str) -> None:
    code, said = run(tmp_path, command)
    assert code == 1
    assert said.endswith("Error: the output cannot be written: No space left on device\n")


def test_where_nobody_can_be_told_either_the_exit_code_says_it(tmp_path: Path) -> None:
    assert run(tmp_path, "history", also_stderr=True)[0] == 1
