"""The story of `proxysync demo`, played on the sandbox with the real program."""
