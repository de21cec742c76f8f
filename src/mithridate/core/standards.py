"""The closed list of standards ids that findings may carry, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STANDARDS: Mapping[str, str] = MappingProxyType(
    {
        "AML.T0020": "MITRE ATLAS: poison training data",
        "AML.T0018": "MITRE ATLAS: manipulate AI model",
        "AML.T0019": "MITRE ATLAS: publish poisoned datasets",
        "AML.T0010": "MITRE ATLAS: AI supply chain compromise",
        "AML.T0011.000": "MITRE ATLAS: user execution, unsafe AI artifacts",
        "ML02:2023": "OWASP Machine Learning Top 10: data poisoning attack",
        "ML06:2023": "OWASP Machine Learning Top 10: AI supply chain attacks",
        "ML10:2023": "OWASP Machine Learning Top 10: model poisoning",
        "NISTAML.013": "NIST AI 100-2: data poisoning",
        "NISTAML.021": "NIST AI 100-2: clean-label backdoor",
        "NISTAML.023": "NIST AI 100-2: backdoor poisoning",
        "NISTAML.024": "NIST AI 100-2: targeted poisoning",
    }
)


def meaning(identifier: str) -> str:
    """What a standards id stands for; `KeyError` when it isn't on the list."""
    return STANDARDS[identifier]
