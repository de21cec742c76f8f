"""Attacks: each returns a changed target and the truth about it."""
