"""What single values of the file are, and what to say to one that is not: pure parsers."""
