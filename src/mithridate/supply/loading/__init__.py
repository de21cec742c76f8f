"""Loading without unpickling: pickle, torch and joblib files rebuilt from a list of plain things, with nothing run."""
