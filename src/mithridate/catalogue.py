"""The table: one entry a method. The contents page of the product; strings only, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mithridate.core.method import Method

_POISON = "mithridate.audits.poison"


@dataclass(frozen=True, slots=True)
class Family:
    """How the methods of one family share work: `prepare` builds the context, `combine` joins their row scores."""

    title: str
    prepare: str
    combine: str


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "poison": Family(
            title="Poison, label errors, outliers, duplicates and bad sources in training data",
            prepare=f"{_POISON}.context:prepare",
            combine=f"{_POISON}.combine:combine",
        )
    }
)

METHODS: tuple[Method, ...] = (
    Method(
        id="PSN103", slug="shared-trigger", family="poison", function=f"{_POISON}.shared_trigger:shared_trigger",
        title="Shared triggers", modalities=("image", "table", "text"), needs=("labels",),
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        references=("Gu et al. (2017), BadNets, arXiv 1708.06733", "Chen et al. (2017), arXiv 1712.05526"),
    ),
    Method(
        id="PSN113", slug="instruction-trigger", family="poison",
        function=f"{_POISON}.instruction_trigger:instruction_trigger",
        title="Triggers in instruction data", modalities=("text",), needs=("responses",),
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        references=("Wan et al. (2023), Poisoning language models during instruction tuning, ICML",),
    ),
    Method(
        id="PSN101", slug="label-error", family="poison", function=f"{_POISON}.label_errors:label_errors",
        title="Label errors", needs=("labels",), standards=("AML.T0020", "ML02:2023", "NISTAML.013"),
        references=(
            "Northcutt, Jiang, Chuang (2021), Confident learning, JAIR 70",
            "Wilson (1972), edited nearest neighbours, IEEE Trans. SMC 2(3)",
        ),
    ),
    Method(
        id="PSN102", slug="class-pair-flip", family="poison", function=f"{_POISON}.class_pairs:class_pairs",
        title="Targeted flips between two classes", needs=("labels",),
        standards=("AML.T0020", "ML02:2023", "NISTAML.024"),
        references=("Tolpegin et al. (2020), Data poisoning attacks against federated learning, ESORICS",),
    ),
    Method(
        id="PSN104", slug="outlier", family="poison", function=f"{_POISON}.outliers:outliers",
        title="Statistical outliers", standards=("ML02:2023", "NISTAML.013"),
        references=(
            "Rousseeuw, Van Driessen (1999), A fast algorithm for the minimum covariance determinant estimator",
            "Li et al. (2022), ECOD, IEEE TKDE",
        ),
    ),
    Method(
        id="PSN105", slug="duplicate", family="poison", function=f"{_POISON}.duplicates:duplicates",
        title="Duplicates that disagree", standards=("AML.T0020", "ML02:2023", "NISTAML.013"),
        references=(
            "Broder (1997), On the resemblance and containment of documents",
            "Tramer et al. (2022), Truth Serum, CCS",
        ),
    ),
    Method(
        id="PSN107", slug="content-model-gap", family="poison", function=f"{_POISON}.content_gap:content_gap",
        title="Content against model", needs=("labels", "predictions"),
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        references=("Tran, Li, Madry (2018), Spectral signatures in backdoor attacks, NeurIPS",),
    ),
    Method(
        id="PSN106", slug="bad-source", family="poison", function=f"{_POISON}.sources:bad_source",
        title="Sources worse than the rest", needs=("labels", "sources"),
        standards=("AML.T0020", "AML.T0019", "ML02:2023"),
        references=("Efron, Morris (1975), Data analysis using Stein's estimator", "Hu, Zhao, Zhou (2010), group FDR"),
    ),
    Method(
        id="PSN108", slug="planted-controls", family="poison", function=f"{_POISON}.planted_controls:planted_controls",
        title="Measured power: planted controls", needs=("labels",), standards=("ML02:2023",),
        references=("Elias, Gygi (2007), Target-decoy search strategy, Nature Methods 4",),
    ),
)  # fmt: skip


def find(name: str) -> Method | None:
    """The method of that id or slug, in any case; None when there is none."""
    return next((method for method in METHODS if name.lower() in {method.id.lower(), method.slug}), None)
