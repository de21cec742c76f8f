"""Pickles, read by the unpickler's own rules and never run."""

from mithridate.supply.scan.pickle.scan import PickleScan, scan_pickle
from mithridate.supply.scan.pickle.sniff import looks_like_pickle

__all__ = ["PickleScan", "looks_like_pickle", "scan_pickle"]
