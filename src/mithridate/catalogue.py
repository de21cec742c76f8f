"""The table: one entry a method. The contents page of the product; strings only, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mithridate.core.method import Method

_POISON = "mithridate.audits.poison"
_SHARDED = f"{_POISON}.sharded"
_SCAN = "mithridate.supply.scan"
_POSTURE = "mithridate.supply.posture"


@dataclass(frozen=True, slots=True)
class Family:
    """How the methods of one family share work: `prepare` builds the context, `combine` joins their row scores.

    A family may be `like` another: its methods are the other's, by the functions that stand `instead`; a method without
    one is skipped. A family without `prepare` is one check that a flow makes itself, with that flow's own function.
    """

    title: str
    prepare: str = ""
    combine: str = ""
    like: str = ""
    instead: Mapping[str, str] = field(default_factory=dict)


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "poison": Family(
            title="Poison, label errors, outliers, duplicates and bad sources in training data",
            prepare=f"{_POISON}.context:prepare",
            combine=f"{_POISON}.combine:combine",
        ),
        "poison-shards": Family(
            title="The same in data that no memory holds, shard by shard",
            prepare=f"{_SHARDED}.context:prepare",
            combine=f"{_SHARDED}.combine:combine",
            like="poison",
            instead=MappingProxyType(
                {
                    "PSN101": f"{_SHARDED}.label_errors:sharded_label_errors",
                    "PSN102": f"{_SHARDED}.sampled:sampled_class_pairs",
                    "PSN103": f"{_SHARDED}.triggers:sharded_triggers",
                    "PSN104": f"{_SHARDED}.outliers:sharded_outliers",
                    "PSN105": f"{_SHARDED}.duplicates:sharded_duplicates",
                    "PSN106": f"{_SHARDED}.sources:sharded_sources",
                    "PSN108": f"{_SHARDED}.sampled:sampled_controls",
                    "PSN114": f"{_POISON}.changed_since_manifest:sharded_changed_since_manifest",
                }
            ),
        ),
        "artefact": Family(
            title="Unsafe model and data files, before anything loads them",
            prepare=f"{_SCAN}.family:prepare",
            combine=f"{_SCAN}.family:combine",
        ),
        "posture": Family(
            title="The project around the model: secrets, dependencies, permissions, unsafe calls, open servers",
            prepare=f"{_POSTURE}.context:prepare",
            combine=f"{_POSTURE}.context:combine",
        ),
        "signature": Family(title="Whether these are the bytes that somebody signed"),
        "seal": Family(title="Whether a sealed file is what was sealed, and may be opened"),
    }
)

_OPEN = tuple(name for name, family in FAMILIES.items() if family.prepare)  # those that other packages may add to

METHODS: tuple[Method, ...] = (
    Method(
        id="PSN103", slug="shared-trigger", family="poison", function=f"{_POISON}.shared_trigger:shared_trigger",
        title="Shared triggers", modalities=("image", "table", "text"), needs=("labels",),
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        references=("Gu et al. (2017), BadNets, arXiv 1708.06733", "Chen et al. (2017), arXiv 1712.05526"),
    ),
    Method(
        id="PSN109", slug="learnt-trigger", family="poison", function=f"{_POISON}.learnt_trigger:learnt_trigger",
        title="Triggers of any shape that a model learns", needs=("labels", "recipe"),
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        references=("Nguyen, Tran (2021), WaNet, ICLR", "Li et al. (2021), Anti-backdoor learning, NeurIPS"),
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
        id="PSN114", slug="changed-since-manifest", family="poison",
        function=f"{_POISON}.changed_since_manifest:changed_since_manifest",
        title="Rows that changed since the manifest", needs=("manifest",),
        standards=("AML.T0020", "AML.T0019", "ML02:2023", "NISTAML.013"),
        references=(
            "Carlini et al. (2024), Poisoning web-scale training datasets is practical, IEEE S&P",
            "Merkle (1987), A digital signature based on a conventional encryption function, CRYPTO",
        ),
    ),
    Method(
        id="PSN111", slug="edited-copy", family="poison", function=f"{_POISON}.edited_copy:edited_copy",
        title="Edited copies of trusted rows", needs=("reference",),
        standards=("AML.T0020", "ML02:2023", "NISTAML.013"),
        references=(
            "Bates et al. (2023), Testing for outliers with conformal p-values, Annals of Statistics 51(1)",
            "Carlini et al. (2024), Poisoning web-scale training datasets is practical, IEEE S&P",
        ),
    ),
    Method(
        id="PSN107", slug="content-model-gap", family="poison", function=f"{_POISON}.content_gap:content_gap",
        title="Content against model", needs=("labels", "predictions"),
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        references=("Tran, Li, Madry (2018), Spectral signatures in backdoor attacks, NeurIPS",),
    ),
    Method(
        id="PSN115", slug="model-signals", family="poison", function=f"{_POISON}.model_signals:model_signals",
        title="Rows that a network keeps apart", needs=("labels", "predictions"),
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        references=(
            "Chen et al. (2018), Detecting backdoor attacks by activation clustering, arXiv 1811.03728",
            "Hou et al. (2025), FLARE: towards universal dataset purification against backdoor attacks, IEEE TIFS",
            "Hou et al. (2024), IBD-PSC: parameter-oriented scaling consistency, ICML",
            "Li et al. (2021), Anti-backdoor learning, NeurIPS",
            "Hayase et al. (2021), SPECTRE, ICML",
        ),
    ),
    Method(
        id="PSN110", slug="unlearnable", family="poison", function=f"{_POISON}.unlearnable:unlearnable",
        title="Unlearnable data", modalities=("image",), needs=("labels",),
        standards=("AML.T0020", "ML02:2023", "NISTAML.013"),
        references=(
            "Yu et al. (2022), Availability attacks create shortcuts, KDD",
            "Huang et al. (2021), Unlearnable examples, ICLR",
        ),
    ),
    Method(
        id="PSN112", slug="off-manifold-noise", family="poison",
        function=f"{_POISON}.off_manifold_noise:off_manifold_noise", title="Noise on one label's images",
        modalities=("image",), needs=("labels",), standards=("AML.T0020", "ML02:2023", "NISTAML.021"),
        references=(
            "Turner, Tsipras, Madry (2019), Label-consistent backdoor attacks, arXiv 1912.02771",
            "Zeng et al. (2023), Narcissus, CCS",
            "Geiping et al. (2021), Witches' Brew, ICLR",
        ),
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
    Method(
        id="SUP401", slug="pickle-code", family="artefact", function=f"{_SCAN}.methods.pickle_code:pickle_code",
        title="Pickles that run code", threat="supply chain",
        standards=("AML.T0010", "AML.T0011.000", "ML06:2023"),
        references=(
            "Liu et al. (2025), The art of hide and seek: model supply chain poisoning, arXiv 2508.19774",
            "CPython, Modules/_pickle.c and Lib/pickletools.py",
        ),
    ),
    Method(
        id="SUP402", slug="container-trick", family="artefact",
        function=f"{_SCAN}.methods.container_trick:container_trick", title="Archives that lie or burst",
        threat="supply chain", standards=("AML.T0010", "ML06:2023"),
        references=("PKWARE, APPNOTE.TXT 6.3.10", "Fifield (2019), A better zip bomb, WOOT"),
    ),
    Method(
        id="SUP403", slug="model-format", family="artefact", function=f"{_SCAN}.methods.model_format:model_format",
        title="Model files that run code or reach outside", threat="supply chain",
        standards=("AML.T0010", "AML.T0011.000", "ML06:2023"),
        references=("CVE-2025-1550, CVE-2024-3660 (Keras)", "CVE-2024-34359 (templates in GGUF files)"),
    ),
    Method(
        id="SUP404", slug="not-analysed", family="artefact", function=f"{_SCAN}.methods.not_analysed:not_analysed",
        title="Bytes that nobody analysed", threat="supply chain", standards=("AML.T0010", "ML06:2023"),
        references=("Anderson (2020), Security Engineering, 3rd edition, chapter 27",),
    ),
    Method(
        id="SUP405", slug="code-beside-model", family="artefact", function=f"{_SCAN}.methods.loose_code:loose_code",
        title="Code that comes with a model", threat="supply chain",
        standards=("AML.T0010", "AML.T0011.000", "ML06:2023"),
        references=("MITRE ATLAS, AML.T0011.000 unsafe AI artifacts",),
    ),
    Method(
        id="SUP420", slug="leaked-secret", family="posture", function=f"{_POSTURE}.leaked_secrets:leaked_secrets",
        title="Secrets in code, notebooks and configurations", threat="supply chain",
        standards=("AML.T0055", "CWE-798"),
        references=("Meli, McNiece, Reaves (2019), How bad can it git?, NDSS",),
    ),
    Method(
        id="SUP421", slug="vulnerable-dependency", family="posture",
        function=f"{_POSTURE}.vulnerable_dependency:vulnerable_dependency",
        title="Dependencies with published vulnerabilities", threat="supply chain",
        standards=("AML.T0010", "ML06:2023", "CWE-1395"),
        references=("pip-audit and the Python Packaging Advisory Database",),
    ),
    Method(
        id="SUP422", slug="loose-requirement", family="posture", function=f"{_POSTURE}.requirements:requirements",
        title="Requirements without version or hash", threat="supply chain",
        standards=("AML.T0010", "ML06:2023", "CWE-494"),
        references=("SLSA 1.0, Supply-chain levels for software artifacts",),
    ),
    Method(
        id="SUP423", slug="open-permissions", family="posture", function=f"{_POSTURE}.permissions:permissions",
        title="Keys and data that others can read or change", threat="supply chain",
        standards=("AML.T0055", "CWE-732"),
        references=("CWE-732, Incorrect permission assignment for critical resource",),
    ),
    Method(
        id="SUP424", slug="remote-code", family="posture", function=f"{_POSTURE}.remote_code:remote_code",
        title="Code of a model hub that runs here", threat="supply chain",
        standards=("AML.T0010", "AML.T0011.000", "CWE-494"),
        references=("MITRE ATLAS, AML.T0010 AI supply chain compromise",),
    ),
    Method(
        id="SUP425", slug="unsafe-load", family="posture", function=f"{_POSTURE}.unsafe_load:unsafe_load",
        title="Code that unpickles", threat="supply chain",
        standards=("AML.T0011.000", "ML06:2023", "CWE-502"),
        references=("CWE-502, Deserialization of untrusted data", "PyTorch documentation, torch.load"),
    ),
    Method(
        id="SUP426", slug="unsafe-yaml", family="posture", function=f"{_POSTURE}.unsafe_yaml:unsafe_yaml",
        title="YAML read with an unsafe loader", threat="supply chain",
        standards=("AML.T0011.000", "CWE-502"),
        references=("CVE-2020-14343 (PyYAML)",),
    ),
    Method(
        id="SUP427", slug="open-server", family="posture", function=f"{_POSTURE}.open_server:open_server",
        title="Servers open to everybody", threat="supply chain",
        standards=("AML.T0049", "ML05:2023", "CWE-306"),
        references=("CVE-2023-43654 (TorchServe), CVE-2023-48022 (Ray)",),
    ),
    Method(
        id="SUP428", slug="no-model-card", family="posture", function=f"{_POSTURE}.model_card:model_card",
        title="Models without a model card", threat="supply chain",
        standards=("EU-AI-ACT-13",),
        references=("Mitchell et al. (2019), Model cards for model reporting, FAT*",),
    ),
    Method(
        id="SUP429", slug="no-incident-contact", family="posture",
        function=f"{_POSTURE}.incident_contact:incident_contact",
        title="Nobody to tell of an incident", threat="supply chain",
        standards=("EU-AI-ACT-15",),
        references=("RFC 9116, security.txt",),
    ),
    Method(
        id="SUP440", slug="unsigned-model", family="posture", function=f"{_POSTURE}.unsigned_model:unsigned_model",
        title="Models without a signature", threat="supply chain",
        standards=("AML.T0010", "ML06:2023", "CWE-353"),
        references=("OpenSSF, Model signing specification 1.0",),
    ),
    Method(
        id="SUP441", slug="not-looked-at", family="posture", function=f"{_POSTURE}.not_looked_at:not_looked_at",
        title="Files that could not be looked at", threat="supply chain", standards=("ML06:2023",),
        references=("Saltzer, Schroeder (1975), The protection of information in computer systems",),
    ),
    Method(
        id="SUP430", slug="signature-does-not-hold", family="signature", function="mithridate.flows.sign:verify_path",
        title="Signatures that don't hold", threat="supply chain", standards=("AML.T0010", "ML10:2023", "CWE-353"),
        references=("OpenSSF, Model signing specification 1.0", "in-toto attestation framework 1.0", "DSSE 1.0"),
    ),
    Method(
        id="SUP442", slug="seal-does-not-hold", family="seal", function="mithridate.flows.open:open_with_report",
        title="Seals that don't hold", threat="supply chain", standards=("CWE-353",),
        references=(
            "Rogaway (2002), Authenticated encryption with associated data, CCS",
            "Hoang, Reyhanitabar, Rogaway, Vizar (2015), Online authenticated encryption, CRYPTO (STREAM)",
        ),
    ),
)  # fmt: skip


GROUP = "mithridate.methods"  # the entry points by which other packages add methods


@dataclass(frozen=True, slots=True)
class ThirdParty:
    """What other packages add: each method with the name of its package, and what was wrong with the others."""

    methods: tuple[tuple[Method, str], ...] = ()
    complaints: tuple[str, ...] = ()


def third_party() -> ThirdParty:
    """The methods of other packages; each entry point is loaded, and nothing else.

    An entry point names a `Method`, strings only, and should stand in a module that imports nothing heavy.
    """
    from importlib.metadata import entry_points

    found, complaints = [], []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        origin = point.dist.name if point.dist is not None else point.value
        try:
            method = point.load()
        except Exception as error:  # noqa: BLE001 - another's code runs here, and anything can come out of it
            complaints.append(f"{point.name} of {origin} can't be loaded: {type(error).__name__}: {error}"[:200])
            continue
        if isinstance(method, Method) and method.family in _OPEN:
            found.append((method, origin))
        else:
            complaints.append(f"{point.name} of {origin} is no Method of a known family ({', '.join(_OPEN)})")
    return ThirdParty(tuple(found), tuple(complaints))


def find(name: str) -> Method | None:
    """The method of that id or slug, in any case, ours before other packages'; None when there is none."""
    ours = _named(name, METHODS)
    return ours or _named(name, [method for method, _ in third_party().methods])


def _named(name: str, methods: Iterable[Method]) -> Method | None:
    return next((method for method in methods if name.lower() in {method.id.lower(), method.slug.lower()}), None)
