"""`validate --no-probe` of 10, 1,000 and 10,000 entries: `python -m benchmarks.validate`.

Beside it, what PyYAML alone takes to read the same text with libyaml.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.lab import PYTHON, best, file_of, run, warm

COUNTS = (10, 1_000, 10_000)
ROUNDS = 3

YAML = "import sys, yaml; yaml.load(open(sys.argv[1]), Loader=yaml.CSafeLoader)"


def main() -> int:
    print(
        f"{'entries':>8} {'wall':>9} {'cpu':>9} {'yaml alone':>11} {'ratio':>6} {'per entry':>11}"
    )
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "proxies.yaml"
            path.write_text(file_of(count))
            environ = {**warm(), "PROXYSYNC_FILE": str(path), "PROXYSYNC_STATE_DIR": name}
            ours, alone = [], []
            for _ in range(ROUNDS):
                command = (PYTHON, "-m", "proxysync", "validate", "--no-probe")
                ours.append(run(*command, environ=environ))
                alone.append(run(PYTHON, "-c", YAML, str(path), environ=environ))
        cost, yaml = best(ours), best(alone)
        each = f"{cost.cpu / count * 1e6:.0f} us"
        print(
            f"{count:8} {cost.wall:7.2f} s {cost.cpu:7.2f} s {yaml.cpu:9.2f} s "
            f"{cost.cpu / yaml.cpu:6.1f} {each:>11}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
