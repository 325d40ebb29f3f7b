"""`python -m proxysync` is `proxysync`."""

from proxysync.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
