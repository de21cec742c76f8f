"""Functions of Python itself that compute from what they are given: named in a pickle, they are settings, not gadgets.

A pipeline keeps them for later: a key to sort by, a tokeniser, the function of a transformer. Called by the stream
itself they are judged as everything is.
"""

from __future__ import annotations

_COMPUTE = {
    "operator": """
        abs add and_ concat contains countOf eq floordiv ge gt index indexOf inv invert is_ is_not itemgetter le
        length_hint lshift lt matmul mod mul ne neg not_ or_ pos pow rshift sub truediv truth xor """,
    "posixpath": "basename dirname join split splitext normpath normcase commonprefix",
    "json": "loads dumps",
    "statistics": "mean fmean median mode stdev pstdev variance pvariance harmonic_mean geometric_mean quantiles",
    "copy": "copy deepcopy",
    "heapq": "nlargest nsmallest merge",
    "bisect": "bisect bisect_left bisect_right",
    "re": "sub split findall match search fullmatch escape",
    "unicodedata": "normalize category",
    "html": "escape unescape",
    "textwrap": "dedent fill shorten wrap",
    "string": "capwords",
    "time": "time perf_counter monotonic process_time time_ns",
    "random": "random randint choice uniform gauss shuffle sample",
    "hashlib": "md5 sha1 sha256 sha512 blake2b blake2s",
    "_hashlib": "openssl_md5 openssl_sha1 openssl_sha256 openssl_sha512",
    "zlib": "crc32 adler32",
    "binascii": "crc32 hexlify",
    "itertools": "chain.from_iterable",
    "uuid": "uuid4",
    "numpy": "memmap",  # joblib notes of which class an array was
    "difflib": "get_close_matches",
    "shlex": "split",
    "ast": "literal_eval",
}
_PATHS = frozenset(f"{module}.{name}" for module, names in _COMPUTE.items() for name in names.split())
_ALIKE = {"_operator": "operator", "ntpath": "posixpath", "_bisect": "bisect", "_heapq": "heapq"}


def only_computes(module: str, name: str) -> bool:
    """Whether a name that nothing calls here is such a function.

    Examples
    --------
    >>> only_computes("_operator", "add"), only_computes("_operator", "methodcaller"), only_computes("os", "system")
    (True, False, False)
    """
    return f"{_ALIKE.get(module, module)}.{name}" in _PATHS
