"""`python -m mithridate.cli`."""

from mithridate.cli import main

main()
