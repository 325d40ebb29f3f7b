"""What writes parts of the pages; `make docs` runs all of it. proxysync itself needs none of it."""
