"""Pretrained extractors from optional packages: one file each; weights are checked against a pinned hash."""
