"""TensorFlow Lite: operators that need code of their own, and indices that a native interpreter trusts.

References
----------
tensorflow/lite/schema/schema.fbs. TFSA-2021-057 and others (indices, shapes and subgraphs out of range).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats import flat
from mithridate.supply.scan.formats.reading import BrokenError, Window, clip, malformed, words
from mithridate.supply.scan.issue import Issue

_CUSTOM, _LAST_BUILTIN = 32, 1000
_KNOWN = words(
    "TFLite_Detection_PostProcess edgetpu-custom-op ethos-u Convolution2DTransposeBias MaxPoolingWithArgmax2D "
    "MaxUnpooling2D TransformTensorBilinear TransformLandmarks Landmarks2TransformMatrix MobileNetV3HSwish "
    "AudioSpectrogram Mfcc NumericVerify RFFT2D ComplexAbs HashtableV2 RandomStandardNormal RandomUniform Multinomial "
    "AvgPool3D MaxPool3D Roll ReadVariable AssignVariable VarHandle aeq_conv TFSentencepieceTokenizeOp "
    "WhitespaceTokenizeWithOffsetsV2 FastWordpieceTokenizeWithOffsets FastBertNormalize TFText Irfft2D Atan2 Sign "
    "Bucketize UnsortedSegmentProd KeypointDecoder Resampler CTC_BEAM_SEARCH_DECODER Mean UNPACK_CUSTOM"
)
_FLEX_HARM = re.compile(r"^Flex(?:PyFunc|EagerPyFunc|ReadFile|WriteFile|MatchingFiles|SaveDataset|WholeFileReader|"
                        r"TextLineDataset|TFRecordDataset|Rpc|Sql|DataService|LoadDataset|CSVDataset|"
                        r"LMDB)", re.IGNORECASE)  # fmt: skip
_ADDRESS = re.compile(rb"(?:file|grpc)://[^\x00-\x1f\x80-\xff]{1,200}")
_LONGEST_OPTIONS = 1 << 20
_RUNS_CODE = re.compile(r"py(?:thon|func)|shell|system|exec|subprocess|command|script|readfile|writefile|http|socket|"
                        r"backdoor|payload|malicious|evil|inject", re.IGNORECASE)  # fmt: skip


def sniff(head: bytes, blob: Blob) -> bool:
    """The identifier `TFL3` behind the first offset."""
    return head[4:8] == b"TFL3" and blob.size >= 8  # noqa: PLR2004 - offset and identifier


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Operators, then every index that an interpreter follows."""
    window = Window(blob)
    try:
        model = flat.root(window)
        codes = flat.tables(window, model, 1)
        for at in codes:
            yield from _operator(window, at)
        yield from _graphs(window, model, len(codes), budget)
    except BrokenError as error:
        yield malformed("TFLite", error, Severity.HIGH)


def _operator(window: Window, at: int) -> Iterator[Issue]:
    entry = flat.table_at(window, at)
    name = flat.text(window, entry, 1)
    builtin = max(flat.number(window, entry, 0, 1), flat.number(window, entry, 3, 4))
    if not name:
        if builtin > _LAST_BUILTIN:
            yield malformed("TFLite", f"the builtin operator {builtin} doesn't exist", Severity.HIGH)
        return
    if _FLEX_HARM.match(name):
        yield Issue("tflite-operator", Severity.CRITICAL, f"the operator {clip(name)} reaches out of the graph")
    elif name.startswith("Flex") or name in _KNOWN:
        yield Issue("tflite-operator", Severity.LOW, f"the operator {clip(name)} needs a library of its own")
    elif _RUNS_CODE.search(name):
        yield Issue("tflite-operator", Severity.HIGH, f"the operator {clip(name)} may run code outside the graph")
    else:
        claim = f"the operator {clip(name)} is none that is known and needs native code that comes with it"
        yield Issue("tflite-operator", Severity.HIGH, claim)


def _graphs(window: Window, model: flat.Table, n_codes: int, budget: Budget) -> Iterator[Issue]:
    buffers, graphs = flat.tables(window, model, 4), flat.tables(window, model, 2)
    for at in buffers:
        entry = flat.table_at(window, at)
        flat.vector(window, entry, 0, 1)
        offset, size = flat.number(window, entry, 1, 8), flat.number(window, entry, 2, 8)
        if offset > 1 and offset + size > window.size:
            raise BrokenError(f"a buffer of {size} bytes at {offset} lies outside the file")
    for at in graphs:
        budget.spend(opcodes=1)
        yield from _graph(window, flat.table_at(window, at), (n_codes, len(buffers)), budget)


def _graph(window: Window, graph: flat.Table, limits: tuple[int, int], budget: Budget) -> Iterator[Issue]:
    n_codes, n_buffers = limits
    tensors, nodes = flat.tables(window, graph, 0), flat.tables(window, graph, 3)
    for at in tensors:
        budget.spend(opcodes=1)
        tensor = flat.table_at(window, at)
        if (buffer := flat.number(window, tensor, 2, 4)) >= n_buffers:
            raise BrokenError(f"the tensor {clip(flat.text(window, tensor, 3))} has the buffer {buffer} of {n_buffers}")
        shape = flat.vector(window, tensor, 0, 4)
        if any(window.number(shape.at + 4 * i, 4) >= 1 << 31 for i in range(shape.length)):
            raise BrokenError(f"the tensor {clip(flat.text(window, tensor, 3))} has a negative extent")
    for at in nodes:
        budget.spend(opcodes=1)
        node = flat.table_at(window, at)
        if (code := flat.number(window, node, 0, 4)) >= n_codes:
            raise BrokenError(f"an operator with the code {code} of {n_codes}")
        for index in (1, 2):
            _indices(window, flat.vector(window, node, index, 4), len(tensors))
        options = flat.vector(window, node, 5, 1)
        if match := _ADDRESS.search(window.take(options.at, min(options.length, _LONGEST_OPTIONS))):
            claim = f"an operator writes to {clip(match.group().decode('latin-1'))}"
            yield Issue("tflite-operator", Severity.CRITICAL, claim)
    for index in (1, 2):
        _indices(window, flat.vector(window, graph, index, 4), len(tensors))


def _indices(window: Window, found: flat.Vector, n_tensors: int) -> None:
    for place in range(found.length):
        index = window.number(found.at + 4 * place, 4)
        if index >= n_tensors and index != 0xFFFFFFFF:  # noqa: PLR2004 - -1 is "no tensor"
            raise BrokenError(f"the tensor {index} of {n_tensors} is used")
