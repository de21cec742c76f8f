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
        "AML.T0049": "MITRE ATLAS: exploit public-facing application",
        "AML.T0055": "MITRE ATLAS: unsecured credentials",
        "ML05:2023": "OWASP Machine Learning Top 10: model theft",
        "CWE-306": "CWE: missing authentication for critical function",
        "CWE-353": "CWE: missing support for integrity check",
        "CWE-494": "CWE: download of code without integrity check",
        "CWE-502": "CWE: deserialization of untrusted data",
        "CWE-732": "CWE: incorrect permission assignment for critical resource",
        "CWE-798": "CWE: use of hard-coded credentials",
        "CWE-1395": "CWE: dependency on vulnerable third-party component",
        "EU-AI-ACT-13": "EU AI Act, article 13: transparency and information for deployers",
        "EU-AI-ACT-15": "EU AI Act, article 15: accuracy, robustness and cybersecurity",
    }
)


def meaning(identifier: str) -> str:
    """What a standards id stands for; `KeyError` when it isn't on the list."""
    return STANDARDS[identifier]
