"""A repository elsewhere, by the `git` program: nothing that is in it is ever run or followed."""
