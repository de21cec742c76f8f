"""Questions put to data and models."""
