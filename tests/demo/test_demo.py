"""`proxysync demo` comes true from its first step to its last, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

from tests.world import RETRY_SOON

TOLD = (
    "+ blog (blog.example.test)",
    "http://blog.example.test/ answers “hello from blog”",
    "http://wiki.example.test/ answers “hello from new-wiki”",
    "http://blog.example.test/ answers “hello from shop”",
    "http://blog.example.test/ answers “hello from blog”",
    "late is blocked: tcp check of",
    "http://late.example.test/ answers “hello from late”",
    "shop is unhealthy",
    "shop is healthy again",
    "Nothing to do",
    "old.example.test is as it was",
    "the daemon ended with exit code 0",
    "Everything is stopped and removed again",
)
"""What it says, in this order."""


def test_the_demo_comes_true_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(RETRY_SOON)
    folder = tmp_path / "tmp"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "proxysync", "demo"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    rest = done.stdout
    for line in TOLD:
        assert line in rest, done.stdout
        rest = rest.partition(line)[2]
    assert list(folder.iterdir()) == []
