"""One file a format: does it know these bytes, and what is wrong with them. The table names modules; nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One line of the table.

    name : as a report calls it. module : has `sniff(head, blob) -> bool` (content only; `head` is the first 4096 bytes)
    and `analyse(blob, budget) -> Iterator[Issue]`, which raises nothing but `OverBudgetError`.
    """

    name: str
    module: str


_HERE = "mithridate.supply.scan.formats"

FORMATS: tuple[Format, ...] = (
    Format("Keras HDF5", f"{_HERE}.keras_h5"),
    Format("GGUF", f"{_HERE}.gguf"),
    Format("safetensors", f"{_HERE}.safetensors"),
    Format("ONNX", f"{_HERE}.onnx"),
    Format("JSON", f"{_HERE}.json_file"),
)
