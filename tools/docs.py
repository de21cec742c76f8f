"""Write docs/ from the code: a page a method, the verbs' help; `--check` says whether what stands is current."""

from __future__ import annotations

import sys
from pathlib import Path

from click.testing import CliRunner

from figures import page as figures
from figures import readme
from mithridate.catalogue import METHODS
from mithridate.cli import VERBS, cli
from mithridate.core.pages import page

DOCS = Path(__file__).parent.parent / "docs"


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    made = {DOCS / "methods" / f"{method.id}.md": page(method) for method in METHODS}
    index = "".join(f"- [{m.id} {m.slug}](methods/{m.id}.md): {m.title}\n" for m in sorted(METHODS, key=lambda m: m.id))
    made[DOCS / "methods.md"] = f"# Methods\n\n{index}"
    made[DOCS / "figures.md"] = figures()
    path = DOCS.parent / "README.md"
    made[path] = readme(path.read_text(encoding="utf-8"))
    for verb in VERBS:
        made[DOCS / "verbs" / f"{verb}.md"] = f"# mithridate {verb}\n\n```\n{_help(verb)}```\n"
    return made


def _help(verb: str) -> str:
    result = CliRunner().invoke(cli, [verb, "--help"], prog_name="mithridate", terminal_width=80)
    return result.output


def main() -> int:
    """Write or check; 1 when a page is stale."""
    made = pages()
    if "--check" in sys.argv:
        stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        extra = [path for path in DOCS.rglob("*.md") if path.parent.name in {"methods", "verbs"} and path not in made]
        for path in stale + extra:
            print(f"stale: {path.relative_to(DOCS.parent)}; run make docs")
        return 1 if stale or extra else 0
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(made)} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
