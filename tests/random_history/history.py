"""A random history: N steps, each drawn from the seed and the number of the step alone."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from tests.random_history.actors import DROP, Accidents, Daemon, Hands, Number, Shells
from tests.random_history.file import File
from tests.random_history.visitors import Visitors
from tests.world import World

Say = Callable[[str], None]


class History:
    """Everybody at work on one NPM. What a step breaks outside of proxysync, a later one mends."""

    def __init__(self, world: World, file: File, hands: Hands, seed: int, say: Say) -> None:
        self.world = world
        self.file = file
        self.hands = hands
        self.accidents = Accidents.of(world.npm, file.kinds)
        self.daemon = Daemon(world)
        self.shells = Shells(world, say)
        self.second: Path = world.folder / "second-state"
        self._seed = seed
        self._say = say
        self._number = 0
        self._due: list[tuple[int, str, Callable[[], object]]] = []
        self._steps = self._possible()

    def step(self, visitors: Visitors) -> None:
        """One more step, then a moment of rest; fails if a site that must not fail has failed."""
        self._number += 1
        rng = Random(f"{self._seed}/{self._number}")
        self._mend()
        steps, weights = zip(*self._steps, strict=True)
        [step] = rng.choices(steps, weights)
        what = step(rng)
        self._say(f"{self._number:4} {time.strftime('%H:%M:%S')} {what}")
        time.sleep(5.0 if rng.random() < 0.12 else rng.uniform(0.0, 1.5))
        self.check(visitors)

    def check(self, visitors: Visitors) -> None:
        assert not visitors.failures, visitors.failures[:20]
        self.daemon.check()
        if not any(what == "start NPM" for _, what, _ in self._due):
            self.hands.assert_foreign_untouched()

    def mend_all(self) -> None:
        """NPM is up and well, no shell runs, no stranger holds a domain, and the file is good."""
        while self._due:
            self._mend(everything=True)
        self.shells.collect()
        self.hands.remove_leftovers()
        self._say(f"files of deleted hosts taken away: {self.accidents.remove_ghosts()}")
        assert self.world.call("resume").code == 0
        self.file.mend()
        self.save()

    def save(self) -> None:
        self.world.file.write_text(self.file.text())

    def _possible(self) -> list[tuple[Callable[[Random], str], int]]:
        steps: list[tuple[Callable[[Random], str], int]] = [
            (self._edit, 30),
            (self._half_written, 4),
            (self._broken_file, 2),
            (self._hand, 22),
            (self._foreign, 5),
            (self._kill_daemon, 7),
            (self._stop_daemon, 4),
            (self._second_shell, 6),
            (self._shell, 4),
            (self._kill_shell, 2),
            (self._roll_back, 3),
        ]
        if self.accidents.can_break_nginx:
            steps.append((self._break_nginx, 3))
        if self.accidents.can_kill:
            steps.append((self._kill_npm, 5))
        return steps

    def _later(self, rng: Random, what: str, do: Callable[[], object], *, most: int) -> None:
        self._due.append((self._number + rng.randint(1, most), what, do))

    def _mend(self, *, everything: bool = False) -> None:
        due = [item for item in self._due if everything or item[0] <= self._number]
        # Nobody can take away a host of his while NPM is down.
        for item in sorted(due, key=lambda item: item[1] != "start NPM"):
            self._due.remove(item)
            self._say(f"     {time.strftime('%H:%M:%S')} {item[1]}: {item[2]()}")

    def _is_due(self, what: str) -> bool:
        return any(item[1] == what for item in self._due)

    # -- the file

    def _edit(self, rng: Random) -> str:
        what = self.file.edit(rng)
        self._save(rng)
        return f"edit: {what}"

    def _save(self, rng: Random | None = None) -> None:
        """In place or by a rename, as editors do."""
        if rng is not None and rng.random() < 0.5:
            new = self.world.file.with_suffix(".new")
            new.write_text(self.file.text())
            new.replace(self.world.file)
        else:
            self.save()

    def _half_written(self, rng: Random) -> str:
        what = self.file.edit(rng)
        self.world.file.write_text(self.file.half(rng))
        time.sleep(pause := rng.uniform(0.05, 2.0))
        self.save()
        return f"edit, half written for {pause:.1f} s: {what}"

    def _broken_file(self, rng: Random) -> str:
        self.world.file.write_text(rng.choice(["", "version: 1\nproxies:\n", "a: [\n", "\0"]))
        self._later(rng, "the file is whole again", self.save, most=2)
        return "the file is broken"

    # -- hands

    def _hand(self, rng: Random) -> str:
        deeds = ["edit", "edit", "save", "save"]
        key = rng.choice([*self.file.free, *self.file.free, *self.file.guarded])
        if self.file.kind(key).kind.is_host:
            deeds += [DROP, "disable", "delete"]
            if key not in self.file.guarded:
                deeds.append("enable")  # NPM's own enable forgets the access list
        elif key not in self.file.guarded:
            deeds.append("delete")  # and so does NPM for the hosts of one that is deleted
        deed = rng.choice(deeds)
        done = self.hands.act(rng, deed, key, self.file.entries[key])
        return f"hand: {deed} {'/'.join(key)}: {done}"

    def _foreign(self, rng: Random) -> str:
        # What carries no marker shows nobody that it was adopted since.
        hosts = [name for name, kind in self.file.kinds.items() if kind.kind.is_host]
        name = rng.choice(hosts)
        kind = self.file.kinds[name]
        places = [p for p in self.file.unused(kind) if p not in kind.bad_places]
        if not places:
            return f"no place is left for a stranger's {kind.kind.label}"
        place = rng.choice(places)
        before = set(self.hands.foreign)
        said = self.hands.add_foreign(name, place)
        for number in set(self.hands.foreign) - before:
            what = f"the stranger removes {place}"
            self._later(rng, what, partial(self._take_away, what, number), most=8)
        if rng.random() < 0.6:
            self.file.want(rng, kind, place)
            self.save()
        return f"a stranger takes {place}: {said}"

    def _take_away(self, what: str, number: Number) -> str:
        if number not in self.hands.foreign:
            return "it was adopted"
        status = self.hands.remove_foreign(number)
        if status is None:
            again = partial(self._take_away, what, number)
            self._due.append((self._number + 1, what, again))
        return status or "NPM is away"

    # -- processes

    def _kill_daemon(self, rng: Random) -> str:
        self.daemon.kill()
        time.sleep(pause := rng.choice([0.0, rng.uniform(0.0, 2.0)]))
        self.daemon.start()
        return f"kill -9 of the daemon, started again after {pause:.1f} s"

    def _stop_daemon(self, rng: Random) -> str:
        started = time.monotonic()
        self.daemon.terminate()
        took = time.monotonic() - started
        self.daemon.start()
        return f"SIGTERM, ended after {took:.1f} s and started again"

    def _second_shell(self, rng: Random) -> str:
        words = rng.choice([("apply", "--yes"), ("plan",), ("adopt", "--all", "--yes")])
        self.shells.start(*words, state=self.second)
        return f"second state: {' '.join(words)}"

    def _shell(self, rng: Random) -> str:
        words = rng.choice([("apply", "--yes"), ("apply", "--yes"), ("plan",), ("status",)])
        self.shells.start(*words)
        return f"beside the daemon: {' '.join(words)}"

    def _kill_shell(self, rng: Random) -> str:
        return self.shells.kill_one()

    def _roll_back(self, rng: Random) -> str:
        self.shells.start("rollback", "--yes")
        if not self._is_due("resume"):
            self._later(rng, "resume", lambda: self.shells.start("resume"), most=4)
        return "rollback --yes"

    # -- NPM

    def _break_nginx(self, rng: Random) -> str:
        self.accidents.break_nginx()
        if not self._is_due("mend nginx"):
            self._later(rng, "mend nginx", self.accidents.mend_nginx, most=4)
        return "a broken file in nginx's configuration"

    def _kill_npm(self, rng: Random) -> str:
        if self._is_due("start NPM"):
            return "NPM is down already"
        self.accidents.kill_npm()
        if rng.random() < 0.5:
            time.sleep(pause := rng.uniform(0.0, 2.0))
            self.accidents.start_npm()
            return f"kill -9 of NPM's backend, started again after {pause:.1f} s"
        self._later(rng, "start NPM", self.accidents.start_npm, most=3)
        return "kill -9 of NPM's backend"
