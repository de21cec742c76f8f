"""Puts `sample` on the path, and `--regenerate` on pytest's command line for the golden files."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def regenerate() -> bool:
    return os.environ.get("REGENERATE") == "1"
