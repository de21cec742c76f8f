"""One writer a file form: chosen rows of a source, and whole data sets."""
