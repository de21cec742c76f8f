"""A report in each format; every one a pure function of the JSON."""
