"""A model in several files with an index, as the Hugging Face hub keeps it: each shard converted, the index anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError

_LIMIT = 64 << 20
OUTPUT_INDEX = "model.safetensors.index.json"


def index_of(source: Path) -> Path | None:
    """The index of a sharded model: the file itself, or the one in the folder; None for anything else.

    Raises
    ------
    InputError : a folder without one, or with several.
    """
    if source.is_file():
        return source if source.name.endswith(".index.json") else None
    if not source.is_dir():
        return None
    found = sorted(source.glob("*.index.json"))
    found = [path for path in found if ".safetensors." not in path.name] or found
    if len(found) == 1:
        return found[0]
    files = sorted(path.name for kind in ("*.bin", "*.pt", "*.pth") for path in source.glob(kind))
    if found:
        raise InputError(f"the folder has {len(found)} indexes, {found[0].name} among them; give the one you mean")
    hint = f"give the file, such as {files[0]}" if files else "give a file of torch.save"
    raise InputError(f"the folder has no index of shards (*.index.json); {hint}")


def shards_of(index: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Tensor name -> file name, and the index's metadata.

    Raises
    ------
    InputError : it is no such index, a shard isn't there, or lies outside of the folder.
    """
    if index.stat().st_size > _LIMIT:
        raise InputError(f"the index {index.name} is over {_LIMIT:,} bytes; get it anew")
    try:
        found = json.loads(index.read_text("utf-8"))
        weights, metadata = found["weight_map"], found.get("metadata", {})
        pairs = [(name, shard) for name, shard in weights.items() if isinstance(shard, str)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{index.name} is no index of shards (weight_map); get it anew from its source") from error
    if len(pairs) != len(weights) or not pairs or not isinstance(metadata, dict):
        raise InputError(f"{index.name} is no index of shards (weight_map); get it anew from its source")
    for shard in sorted({shard for _, shard in pairs}):
        if Path(shard).name != shard or shard in {"", ".", ".."}:
            raise InputError(f"{index.name} names the shard {shard!r:.100}, which lies in another folder")
        if not (index.parent / shard).is_file():
            raise InputError(f"the shard {shard} isn't there; get it from where {index.name} is from")
    return dict(pairs), metadata


def index_text(places: dict[str, str], metadata: dict[str, Any], total: int) -> str:
    """The index of the written shards."""
    kept = {key: value for key, value in metadata.items() if key != "total_size"}
    content = {"metadata": {**kept, "total_size": total}, "weight_map": dict(sorted(places.items()))}
    return json.dumps(content, indent=2) + "\n"
