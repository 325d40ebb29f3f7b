"""A git repository of a test."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

IDENTITY = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")


@dataclass(frozen=True)
class Repository:
    """A folder that git looks after."""

    folder: Path

    @classmethod
    def start(cls, folder: Path) -> "Repository":
        repository = cls(folder)
        repository.git("init", "--quiet", "--initial-branch=main")
        return repository

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", *IDENTITY, *words],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, *words: str, message: str = "edit") -> str:
        """All that is in the folder, as a commit; `words` are more that git is told."""
        self.git("add", "--all")
        self.git(*words, "commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def push(self, to: Path, *words: str, message: str = "edit") -> str:
        """A commit as for `commit`, which is from then on what `to` has, whatever that had."""
        made = self.commit(*words, message=message)
        self.git("push", "--quiet", "--force", str(to), "HEAD:refs/heads/main")
        return made
