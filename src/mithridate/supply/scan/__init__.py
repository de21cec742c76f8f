"""What is in a file, before anything loads it: bytes are read and never run. Standard library only."""
