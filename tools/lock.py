"""Write constraints.txt from the environment: every version, no build suffix, no address."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HEAD = """# Every version the tests ran with; `make lock` writes this file.
# torch carries no +cpu suffix: the plain index lacks it, and this build is the one without CUDA.
"""


def main() -> None:
    """Freeze, strip what is ours or local, and write."""
    frozen = subprocess.run([sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    pins = [re.sub(r"\+cpu$", "", line) for line in frozen.splitlines() if re.fullmatch(r"[\w.-]+==[\w.+!-]+", line)]
    kept = sorted((pin for pin in pins if not pin.lower().startswith("mithridate==")), key=str.lower)
    Path("constraints.txt").write_text(HEAD + "\n".join(kept) + "\n", encoding="utf-8")
    print(f"constraints.txt: {len(kept)} pins")


if __name__ == "__main__":
    main()
