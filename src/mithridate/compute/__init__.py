"""Executors: this process or worker processes, behind one small port."""
