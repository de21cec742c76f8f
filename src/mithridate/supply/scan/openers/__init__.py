"""Containers opened without trusting them: one kind a file; a part comes out as bytes, a trick as an issue."""
