"""All measurements, one after the other: `make bench`, or `python -m benchmarks [NAME…]`.

Each is a script beside this one that tells what it found and exits with 1 where a goal is missed.
What is not installed, or not named, it skips with a word. `health_load` takes minutes of its own
and is run by its name alone.
"""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.lab import machine, warm

SCRIPTS = (
    *("startup", "validate", "plan", "creates", "edit", "sweep", "events_query", "watch"),
    "api",
)


def main() -> int:
    here = Path(__file__).parent
    missed, begin = [], time.monotonic()
    print(f"On {machine()}", flush=True)
    for name in sys.argv[1:] or SCRIPTS:
        if not (here / f"{name}.py").exists():
            continue
        started = time.monotonic()
        print(f"\n## {name}", flush=True)
        # From source its modules would be compiled anew by each of them.
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"],
            env=warm(),
            cwd=here.parent,
            check=False,
        )
        if done.returncode:
            missed.append(name)
        print(f"({time.monotonic() - started:.0f} s)", flush=True)
    print(f"\n{time.monotonic() - begin:.0f} s in all. ", end="")
    print(f"Goals are missed in {', '.join(missed)}." if missed else "All goals are met.")
    return 0  # what a busy machine measures is no test


if __name__ == "__main__":
    sys.exit(main())
