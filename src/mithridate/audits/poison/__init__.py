"""Is this training data poisoned? One method a file, over one shared context."""
