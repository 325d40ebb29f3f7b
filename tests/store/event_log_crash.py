"""Writers of an event log that are killed with SIGKILL: `python -m tests.store.event_log_crash`.

It forks, so it is a process of its own: pytest has threads. Any finding is an AssertionError.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NoReturn

from proxysync.model.event import NewEvent
from proxysync.store.database import open_for_writing
from proxysync.store.events import EventLog, Retention

SMALL = Retention(file_bytes=3000, older_files=3)


def main(folder: Path, what: str) -> None:
    if what == "steps":
        print(json.dumps({"kills": killed_at_each_step(folder)}))
    else:
        print(json.dumps(killed_at_random(folder, int(what))))


def killed_at_each_step(folder: Path) -> int:
    """Kills a writer at its first step on the file system, then one at its second, and so on
    through a rotation with all older files in place; returns how many it were."""
    log = open_log(folder)
    for _ in range(8):
        log.emit(NewEvent("daemon.waiting", "x" * 2000))
    assert len(list(folder.glob("events.jsonl*"))) == SMALL.older_files + 1
    for step in count(1):
        survived = ended(fork(lambda step=step: emit_and_die(folder, step)))  # type: ignore[misc]
        look(folder)
        mended(folder)
        if survived:
            return step - 1
    raise AssertionError


def emit_and_die(folder: Path, step: int) -> None:
    log = open_log(folder)
    seen = 0

    def die(event: str, _arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.rename"):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    for _ in range(3):
        log.emit(NewEvent("daemon.waiting", "x" * 2000))


def killed_at_random(folder: Path, rounds: int) -> dict[str, int]:
    """In each round two writers of one log are killed; sometimes the last line is torn, too."""
    chance = random.Random(7)
    mended(folder)
    for number in range(rounds):
        reading, writing = os.pipe()
        writers = [fork(lambda: emit_for_ever(folder, writing)) for _ in range(2)]  # noqa: B023
        os.close(writing)
        for _ in writers:
            assert os.read(reading, 1), "a writer could not start"
        # Not a condition to wait for: any moment is a good one to be killed.
        time.sleep(chance.random() * 0.06)
        for writer in writers:
            os.kill(writer, signal.SIGKILL)
            assert not ended(writer), "it must have been at work when it was killed"
        os.close(reading)
        look(folder)
        if number % 3 == 0:
            tear(folder / "events.jsonl", chance)
            look(folder)
        ids = mended(folder)
    return {"kills": 2 * rounds, "events": ids[-1], "in files": len(ids), "first": ids[0]}


def emit_for_ever(folder: Path, ready: int) -> NoReturn:
    log = open_log(folder)
    os.write(ready, b".")
    for number in count():
        log.emit(NewEvent("daemon.waiting", "x" * (number * 37 % 500)))
    raise AssertionError


def open_log(folder: Path) -> EventLog:
    database, set_aside = open_for_writing(folder / "state.db")
    assert set_aside is None
    return EventLog(database, folder / "events.jsonl", retention=SMALL)


def fork(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    finally:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def ended(pid: int) -> bool:
    """Waits for a child; whether it came to its end and was not killed."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status == 0


def look(folder: Path) -> list[int]:
    """The ids of all files, oldest first; only the very last line may be torn."""
    path = folder / "events.jsonl"
    files = [path.with_name(f"events.jsonl.{n}") for n in range(SMALL.older_files, 0, -1)]
    contents = [file.read_bytes() for file in [*files, path] if file.exists()]
    assert all(content.endswith(b"\n") for content in contents[:-1])
    lines = b"".join(contents).split(b"\n")[:-1]
    ids = [json.loads(line)["id"] for line in lines]
    assert ids == list(range(ids[0], ids[-1] + 1)) if ids else True, "twice, lost, or disordered"
    return ids


def mended(folder: Path) -> list[int]:
    """The same after a start, when SQLite and the files must agree and no line is torn."""
    database, _ = open_for_writing(folder / "state.db")
    log = EventLog(database, folder / "events.jsonl", retention=SMALL)
    log.emit(NewEvent("daemon.started", "x"))
    assert (folder / "events.jsonl").read_bytes().endswith(b"\n")
    ids = look(folder)
    rows = database.query("SELECT id FROM event_log WHERE id >= ? ORDER BY id", ids[0])
    assert [row["id"] for row in rows] == ids
    database.close()
    return ids


def tear(path: Path, chance: random.Random) -> None:
    """Cuts the last line somewhere, as a power cut would."""
    content = path.read_bytes() if path.exists() else b""
    last = len(content) - content.rstrip(b"\n").rfind(b"\n") - 1
    if content:
        path.write_bytes(content[: len(content) - chance.randrange(1, last)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
