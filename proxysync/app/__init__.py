"""The use cases, one file each: they take values, return values, and print nothing."""
