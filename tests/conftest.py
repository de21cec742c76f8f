"""What holds for every test: a property has no deadline, for a busy machine is slow without being wrong."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
