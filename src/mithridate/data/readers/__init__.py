"""One reader a file form; each takes a path and `Options` and returns a `Dataset`."""
