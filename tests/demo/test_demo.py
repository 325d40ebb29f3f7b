"""`proxysync demo` comes true from its first step to its last, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import requests

from tests.world import RETRY_SOON

TOLD = (
    "+ blog (blog.example.test)",
    "the API and the page are at http://127.0.0.1:",
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
    demo = subprocess.Popen(
        [sys.executable, "-m", "proxysync", "demo", "--keep"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    told = ""
    for line in demo.stdout:  # it stays until it is interrupted
        told += line
        if "curl -H" in line:
            break
    page = re.search(r"the page: (http://127\.0\.0\.1:\d+)/", told)
    assert page is not None, told
    assert requests.get(f"{page[1]}/healthz", timeout=10).json()["status"] == "ok"
    demo.send_signal(signal.SIGTERM)  # Ctrl-C comes to the same
    rest, errors = demo.communicate(timeout=20)
    rest = told = told + rest
    assert (demo.returncode, errors) == (0, ""), told
    for line in TOLD:
        assert line in rest, told
        rest = rest.partition(line)[2]
    assert list(folder.iterdir()) == []
