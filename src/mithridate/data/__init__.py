"""Data sets: reading, writing, hashing, and the small real ones that come along."""
