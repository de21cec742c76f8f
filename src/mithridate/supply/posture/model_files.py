"""Which files of a project are trained models."""

from __future__ import annotations

from collections.abc import Sequence

from mithridate.supply.posture.walk import File

SUFFIXES = frozenset(
    {".safetensors", ".pt", ".pth", ".ckpt", ".onnx", ".gguf", ".ggml", ".h5", ".keras", ".tflite", ".pb", ".pkl",
     ".pickle", ".joblib", ".skops", ".mlmodel", ".pt2", ".cbm", ".ubj", ".mar", ".engine", ".nemo", ".pdparams"}
)  # fmt: skip
_CALLED_SO = {"pytorch_model.bin", "adapter_model.bin", "model.bin", "tf_model.h5"}
_LEAST_BYTES = 1024  # a pickle of a few bytes is no model
_TESTS = {"test", "tests", "testing", "fixtures", "testdata", "test_data"}


def models(files: Sequence[File]) -> list[File]:
    """The files that are models by their name, outside tests."""
    return [
        file for file in files
        if (file.suffix in SUFFIXES or file.path.name in _CALLED_SO) and file.size >= _LEAST_BYTES
        and not _TESTS & {part.lower() for part in file.name.split("/")[:-1]}
    ]  # fmt: skip
