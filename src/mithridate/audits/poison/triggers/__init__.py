"""Shared triggers: one idea, a miner and a causal gate for each modality."""
