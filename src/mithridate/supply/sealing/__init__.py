"""Sealed files: encrypted for named keys, authenticated chunk by chunk, readable in the middle, re-wrapped in place."""
