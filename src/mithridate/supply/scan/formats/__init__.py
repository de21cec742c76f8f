"""One file a format: does it know these bytes, and what is wrong with them. Everyone who does, judges."""

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
    Format("TFLite", f"{_HERE}.tflite"),
    Format("Parquet", f"{_HERE}.parquet"),
    Format("Arrow", f"{_HERE}.arrow"),
    Format("UBJSON", f"{_HERE}.ubjson"),
    Format("ONNX", f"{_HERE}.onnx"),
    Format("TensorFlow", f"{_HERE}.saved_model"),
    Format("compiled Python", f"{_HERE}.pyc_file"),
    Format("picture", f"{_HERE}.picture"),
    Format("film", f"{_HERE}.boxes"),
    Format("TIFF", f"{_HERE}.tiff"),
    Format("PDF", f"{_HERE}.pdf"),
    Format("recognised", f"{_HERE}.recognised"),
    Format("JSON", f"{_HERE}.json_file"),
    Format("XML", f"{_HERE}.xml_file"),
    Format("text", f"{_HERE}.text_file"),
)
