"""What it costs to start: `python -m benchmarks.startup`."""

import sys

from benchmarks.lab import PYTHON, Cost, best, run, warm

ROUNDS = 11
ALLOWED = 0.05

COMMANDS = {
    "bare Python": ("-c", "pass"),
    "what `plan` imports of others": ("-c", "import pydantic.main, requests, sqlite3, yaml"),
    "`proxysync --version`": ("-m", "proxysync", "--version"),
    "`proxysync schema`": ("-m", "proxysync", "schema"),
    "all that `plan` imports": ("-c", "import proxysync.cli.main, proxysync.cli.plan"),
}


def main() -> int:
    environ = warm()
    times: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):  # in turn, for a machine is not equally fast from minute to minute
        for name, words in COMMANDS.items():
            times[name].append(run(PYTHON, *words, environ=environ))
    least = {name: best(costs) for name, costs in times.items()}
    bare = least["bare Python"]
    print(f"{'best of ' + str(ROUNDS):32} {'wall':>8} {'cpu':>8} {'beyond bare Python':>20}")
    for name, cost in least.items():
        more = f"{cost.cpu - bare.cpu:.3f} s"
        print(f"{name:32} {cost.wall:6.3f} s {cost.cpu:6.3f} s {more:>20}")
    more = least["`proxysync --version`"].cpu - bare.cpu
    print(f"--version takes {more:.3f} s beyond bare Python; {ALLOWED} s are allowed.")
    return 0 if more <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
