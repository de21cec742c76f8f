"""TensorFlow's operators by what they reach outside the graph.

References
----------
TensorFlow, SECURITY.md: a model is a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.names import known_names
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

_OPERATORS = {
    "runs Python of the process": (Severity.CRITICAL, "PyFunc EagerPyFunc PyFuncStateless NumpyFunc"),
    "writes files": (
        Severity.CRITICAL,
        (
            "WriteFile SaveDataset SaveDatasetV2 DatasetToTFRecord ExperimentalDatasetToTFRecord CacheDataset "
            "CacheDatasetV2 SnapshotDataset SnapshotDatasetV2 CreateSummaryFileWriter CreateSummaryDbWriter "
            "AudioFileWriter ShardedFilename DeleteFile CopyFile RenameFile"
        ),
    ),
    "reads files": (
        Severity.HIGH,
        (
            "ReadFile MatchingFiles MatchingFilesDataset WholeFileReader WholeFileReaderV2 TextLineReader "
            "TextLineReaderV2 "
            "FixedLengthRecordReader FixedLengthRecordReaderV2 TFRecordReader TFRecordReaderV2 LMDBReader LMDBDataset "
            "TextLineDataset TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset FixedLengthRecordDatasetV2 "
            "CSVDataset CSVDatasetV2 LoadDataset ExperimentalCSVDataset ImmutableConst ListDirectory"
        ),
    ),
    "reaches the network or another process": (
        Severity.HIGH,
        (
            "Rpc RpcCall TryRpc SqlDataset ExperimentalSqlDataset DataServiceDataset DataServiceDatasetV2 "
            "DataServiceDatasetV3 "
            "DataServiceDatasetV4 RegisterDataset RegisterDatasetV2 BigQueryReader GenerateBigQueryReaderPartitions "
            "KafkaDataset ConfigureDistributedTPU CloudBigtable RemoteCall DistributedSave RpcServer RpcClient"
        ),
    ),
    "loads native code": (Severity.CRITICAL, "LoadLibrary LoadOpLibrary CustomCall XlaCustomCallV2 TRTEngineOp"),
}
_JUDGED = {name: (severity, what) for what, (severity, names) in _OPERATORS.items() for name in names.split()}
_JUDGED["ShardedFilename"] = _JUDGED["TRTEngineOp"] = (Severity.LOW, "")
_RUNS_CODE = re.compile(r"python|pyfunc|shell|subprocess|popen|exec(?:ute)?_?(?:command|shell|system)|systemcall|"
                        r"backdoor|payload|malicious|evil|^(?:exec|system|command)", re.IGNORECASE)  # fmt: skip
_REMEDY = "Don't load it; ask for the weights, and build the graph from code that you have read."


def judge_operators(operators: Mapping[str, int]) -> Iterator[Issue]:
    """The issues of a graph's operators, given with how many nodes have each."""
    known = known_names("tensorflow_ops")
    custom: list[str] = []
    for name, count in sorted(operators.items()):
        severity, what = _JUDGED.get(name, (Severity.LOW, ""))
        if not what and name not in known and _RUNS_CODE.search(name):
            severity, what = Severity.HIGH, "may run code outside the graph, by its name"
        if what:
            yield Issue("tf-operator", severity, f"the operator {clip(name)} {what}", "", {"nodes": count}, _REMEDY)
        elif name not in known:
            custom.append(clip(name))
    if custom:
        claim = (
            f"{len(custom)} operators are not TensorFlow's own and need a native library, {clip(custom[0])} among them"
        )
        yield Issue("tf-custom-operator", Severity.LOW, claim, "", {"names": custom[:50]})
