"""Data poisoning: one file an attack, `(dataset, rng, settings) -> Poisoned`."""
