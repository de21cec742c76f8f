"""Mithridate."""
