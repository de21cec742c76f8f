"""The supply chain: artefacts are scanned, signed, sealed, and traced; the project around them is checked."""
