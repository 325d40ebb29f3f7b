"""Where what was taken from a repository is kept, and which commit of it counts now."""

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proxysync.git.remote import Remote

COMMIT = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Place:
    """The folder `git` of a state folder: `current` leads to the files of one commit."""

    remote: Remote
    state_dir: Path

    @property
    def home(self) -> Path:
        return self.state_dir / "git"

    @property
    def files(self) -> Path:
        """Has a folder for each commit that is kept."""
        return self.home / "files"

    @property
    def current(self) -> Path:
        """Has the files of the commit that counts."""
        return self.home / "current"

    @property
    def path(self) -> Path:
        """The file, or the folder of files, in the repository: so messages call it."""
        return Path(self.remote.path)

    @property
    def file(self) -> Path:
        """The same in the commit that counts."""
        return self.current / self.path

    @property
    def commit(self) -> str | None:
        """The commit that counts; None where there is none of this repository."""
        if not self._is_of_remote():
            return None
        try:
            target = self.current.readlink()
        except (OSError, ValueError):
            return None
        is_there = COMMIT.fullmatch(target.name) and (self.files / target.name).is_dir()
        return target.name if is_there else None

    @property
    def trouble(self) -> str | None:
        """Why the newest commit could not be had when that was last tried; None if it could."""
        if self._is_of_remote():
            with suppress(OSError, ValueError):
                return self._trouble.read_text()
        return None

    def note(self, trouble: str | None) -> None:
        """Keeps what `trouble` is, as well as that can be done now."""
        with suppress(OSError):
            if trouble is None:
                self._trouble.unlink(missing_ok=True)
            else:
                self._trouble.write_text(trouble)

    def prepare(self) -> None:
        """Makes the folder; what was taken from another repository counts no more."""
        for folder in (self.home, self.files):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        if self._is_of_remote():
            return
        for left in (self.current, self._trouble):
            left.unlink(missing_ok=True)
        self._origin.write_text(self.remote.identity)

    def switch(self, commit: str) -> None:
        """Has another commit count from now on."""
        beside = self.home / "current.new"
        beside.unlink(missing_ok=True)
        beside.symlink_to(Path("files") / commit)
        beside.replace(self.current)

    def keep_only(self, *commits: str | None) -> None:
        """Removes what is kept of other commits."""
        for folder in self.files.glob("*"):
            if folder.name not in commits:
                shutil.rmtree(folder, ignore_errors=True)

    def _is_of_remote(self) -> bool:
        try:
            return self._origin.read_text() == self.remote.identity
        except (OSError, ValueError):
            return False

    @property
    def _trouble(self) -> Path:
        return self.home / "trouble"

    @property
    def _origin(self) -> Path:
        """Says whose files these are."""
        return self.home / "origin"
