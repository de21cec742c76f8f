from __future__ import annotations

import collections
import datetime as dt
import decimal
import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import scipy.sparse
from click.testing import CliRunner

import mithridate
from mithridate.cli import cli
from mithridate.core.errors import InputError
from mithridate.supply.conversion.convert import convert
from mithridate.supply.loading.safe_load import safe_load

VALUES: list[Any] = [
    {"a": [1, (2.5, None)], "s": {1, 2}, "b": b"\0\xff"}, collections.OrderedDict(a=[1]), collections.Counter("aab"),
    collections.defaultdict(list, a=[1]), collections.deque([1, 2], 3), dt.datetime(2020, 1, 2, tzinfo=dt.UTC),
    decimal.Decimal("1.50"), np.arange(6).reshape(2, 3), np.asfortranarray(np.ones((2, 3))), np.float32(3),
    np.array(["a", None, [1]], object), np.zeros(2, [("a", "i4"), ("b", "f8")]), np.zeros(3, "M8[ns]"),
    np.array([1, 2], ">i4"), np.array(["ab"]), {"x": np.zeros((0, 3)), "again": 1}, [np.float64(2)] * 2,
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_listed_values_come_back_as_they_were(value: Any, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    found = mithridate.safe_load(path)
    assert repr(found) == repr(value)
    assert type(found) is type(value)


@pytest.mark.parametrize("compress", [0, 3, ("bz2", 3), ("xz", 1), ("gzip", 3)])
def test_joblib_files_are_read(compress: Any, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    value = {
        "x": np.arange(12.0).reshape(3, 4),
        "f": np.asfortranarray(np.eye(3)),
        "o": np.array(["a", 1], object),
        "n": 1,
    }
    joblib.dump(value, tmp_path / "x.joblib", compress=compress)
    assert repr(safe_load(tmp_path / "x.joblib")) == repr(value)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia"])
def test_sparse_matrices_are_rebuilt(kind: str, tmp_path: Path) -> None:
    for suffix in ("matrix", "array"):
        value = getattr(scipy.sparse, f"{kind}_{suffix}")(np.diag([1.0, 0, 2]))
        (tmp_path / "x").write_bytes(pickle.dumps(value))
        found = safe_load(tmp_path / "x")
        assert type(found) is type(value)
        assert (found.toarray() == value.toarray()).all()


HOSTILE = {
    "a call": (b"cos\nsystem\n(S'id'\ntR.", "os.system"),
    "an import alone": (b"cos\nsystem\n.", "os.system"),
    "getattr": (b"cbuiltins\ngetattr\n(cos\nenviron\nS'clear'\ntR.", "os.environ"),
    "a class of a library": (b"\x80\x02csklearn.manifold._mds\nMDS\n)\x81}b.", "sklearn.manifold._mds.MDS"),
    "an extension": (b"\x80\x02\x82\x01.", "extension code 1"),
    "a codec": (b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.", "rot13"),
    "bytes made from a number": (b"\x80\x03cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "from a number"),
    "a key whose hash is dear": (b"\x80\x02}" + b")" + b"2\x86" * 60 + b"Ns.", "plain key"),
    "a state for a dict": (b"\x80\x02}}b.", "takes no state"),
    "an attribute with underscores": (b"\x80\x02ccollections\nOrderedDict\n)R}U\x09__class__Nsb.", "__class__"),
    "a persistent id": (b"\x80\x02U\x01aQ.", "outside of it"),
    "a broken stream": (b"\x80\x02](", "end here"),
    "an array longer than its bytes": (
        (
            b"\x80\x02cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01J\xff\xff\xff\x7f"
            b"\x85cnumpy\ndtype\nU\x02f8\x89\x88\x87R\x89U\x03abctb."
        ),
        "does not fit",
    ),
    "an array of objects among bytes": (
        b"\x80\x02cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nU\x02O8\x89\x88\x87RU\x08abcdefgh\x86R}\x86.", ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_everything_else_is_refused_in_one_line_that_names_it(name: str, tmp_path: Path) -> None:
    content, word = HOSTILE[name]
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    if not word:
        assert safe_load(path) == (b"abcdefgh".decode(), {})
        return
    with pytest.raises(InputError) as caught:
        safe_load(path)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def state() -> Any:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 5, generator=generator)
    return {
        "w": weight, "tied": weight, "t": weight.T, "part": weight[1:3, ::2], "bf": weight.bfloat16(),
        "f8": weight.to(torch.float8_e4m3fn), "half": weight.half(), "flag": torch.tensor([True, False]),
        "n": torch.tensor(3), "none": torch.empty(0, 3), "i": torch.arange(7), "wide": torch.ones(1, 4).expand(3, 4),
        "c": torch.ones(2, dtype=torch.complex64), "p": torch.nn.Parameter(torch.ones(2)),
    }  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
def test_torch_files_come_back_and_convert_with_a_proof(tmp_path: Path, *, legacy: bool) -> None:
    torch = pytest.importorskip("torch")
    load_file = pytest.importorskip("safetensors.torch").load_file
    wanted = state()
    torch.save({"model": wanted, "epoch": 3}, tmp_path / "m.pt", _use_new_zipfile_serialization=not legacy)
    loaded = safe_load(tmp_path / "m.pt")
    assert loaded["epoch"] == 3
    done = convert(tmp_path / "m.pt", tmp_path / "m.safetensors")
    written = load_file(tmp_path / "m.safetensors")
    assert {proof.name for proof in done.proofs} == {f"model.{name}" for name in wanted} == set(written)
    for name, tensor in wanted.items():
        for found in (loaded["model"][name], written[f"model.{name}"]):
            assert found.dtype == tensor.dtype
            assert torch.equal(found.view(torch.uint8) if found.dim() and found.is_contiguous() else found,
                               (tensor.detach().contiguous().view(torch.uint8) if tensor.dim() and found.is_contiguous()
                                else tensor.detach()))  # fmt: skip
    assert all(proof.same for proof in done.proofs)
    assert {proof.name: proof.shares for proof in done.proofs}["model.tied"] == "model.w"
    assert done.left_out == ("epoch (int)",)


def test_the_proof_fails_on_a_single_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from mithridate.supply.conversion import safetensors

    torch.save({"w": torch.ones(3)}, tmp_path / "m.pt")
    write = safetensors.write

    def flipped(path: Path, *arguments: Any) -> None:
        write(path, *arguments)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    monkeypatch.setattr(safetensors, "write", flipped)
    with pytest.raises(InputError, match="not written as it was read"):
        convert(tmp_path / "m.pt", tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()


def zipped(pickled: bytes, storages: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def tensor_pickle(items: int, offset: int, sides: int, step: int) -> bytes:
    return (
        b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK"
        + bytes([items]) + b"tQK" + bytes([offset]) + b"J" + sides.to_bytes(4, "little") + b"\x85K" + bytes([step])
        + b"\x85\x89}tRs."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pickled", "held", "word"),
    [
        (tensor_pickle(4, 0, 4, 1), 8, "of 16"),
        (tensor_pickle(4, 2, 4, 1), 16, "reaches item"),
        (tensor_pickle(4, 0, 1 << 30, 0), 16, "repeats"),
        (tensor_pickle(4, 0, 4, 1), 100_000, "far longer"),
        (b"\x80\x02}.", 0, "no tensor"),
    ],
)
def test_tensors_that_do_not_fit_their_storage_are_refused(
    pickled: bytes, held: int, word: str, tmp_path: Path
) -> None:
    path = zipped(pickled, {"0": b"\0" * held}, tmp_path / "m.pt")
    with pytest.raises(InputError, match=word):
        convert(path, tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()


def test_convert_never_writes_over_its_input(tmp_path: Path) -> None:
    path = zipped(tensor_pickle(4, 0, 4, 1), {"0": b"\0" * 16}, tmp_path / "m.safetensors")
    before = path.read_bytes()
    with pytest.raises(InputError, match="is the input itself"):
        convert(path, tmp_path / "m.safetensors")
    assert path.read_bytes() == before


def test_the_verb_prints_a_row_for_each_tensor(tmp_path: Path) -> None:
    path = zipped(tensor_pickle(4, 0, 4, 1), {"0": bytes(range(16))}, tmp_path / "m.pt")
    out = tmp_path / "m.safetensors"
    done = CliRunner().invoke(cli, ["convert", str(path), str(out)])
    assert done.exit_code == 0
    assert "1 of 1 tensors are equal on both sides" in done.output
    assert "be45cb2605bf36be" in done.output
    assert isinstance(CliRunner().invoke(cli, ["convert", str(path), "x.pt"]).exception, InputError)


def test_a_broken_zip_is_one_line(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
    (tmp_path / "m.pt").write_bytes(content.getvalue()[:40])
    with pytest.raises(InputError, match="broken"):
        safe_load(tmp_path / "m.pt")


def test_an_array_or_a_record_array_alone_is_loaded(tmp_path: Path) -> None:
    for value in (np.ones((2, 3)), np.zeros(2, dtype=[("a", "i4"), ("b", "U3")])):
        joblib.dump(value, tmp_path / "a.joblib")
        np.testing.assert_array_equal(safe_load(tmp_path / "a.joblib"), value)


def test_sound_files_of_another_kind_are_told_from_broken_ones(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(3))
    with pytest.raises(InputError, match=r"numpy\.load"):
        safe_load(tmp_path / "a.npy")
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"x")
    with pytest.raises(InputError, match="safetensors"):
        safe_load(tmp_path / "a.safetensors")


def test_a_sparse_file_of_ten_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    for name, head in (("zeros", b"\0"), ("packed", b"\x1f\x8b\x08")):
        with (tmp_path / name).open("wb") as file:
            file.write(head)
            file.truncate(10 << 30)
        with pytest.raises(InputError, match="10,737,418,240 bytes"):
            safe_load(tmp_path / name)
