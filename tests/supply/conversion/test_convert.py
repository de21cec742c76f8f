"""Checkpoints as people have them: all tensors come over, whatever stands around them stays behind by name."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mithridate.cli import cli
from mithridate.core.errors import InputError
from mithridate.supply.conversion.convert import convert

torch = pytest.importorskip("torch")
load_file = pytest.importorskip("safetensors.torch").load_file


class Config:
    """A class of a user's own."""

    def __init__(self) -> None:
        self.width = 3
        self.table = torch.arange(3)


def checkpoint() -> Any:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 3)).sum().backward()
    optimiser.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 3)
    return {
        "model": model.state_dict(), "ema": OrderedDict(w=torch.ones(2)), "optimizer": optimiser.state_dict(),
        "lr_schedulers": [scheduler.state_dict()], "hyper_parameters": argparse.Namespace(lr=0.1, layers=[1, 2]),
        "epoch": 3, "loss": np.float64(0.5), "rng": np.random.default_rng(0), "config": Config(), "none": None,
        "callbacks": {"best": Path("a/b")}, "seen": {1, 2}, "array": np.arange(4, dtype=">i4"),
        "texts": np.array(["a", None], object), "size": torch.Size([1]), "type": torch.float32,
    }  # fmt: skip


def names(value: Any, before: str = "") -> dict[str, Any]:
    found = {}
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        name = f"{before}.{key}" if before else str(key)
        if isinstance(one, torch.Tensor):
            found[name] = one.detach()
        elif isinstance(one, dict | list):
            found |= names(one, name)
    return found


@pytest.mark.parametrize("is_new", [True, False])
def test_a_whole_checkpoint_gives_all_its_tensors_and_names_the_rest(tmp_path: Path, *, is_new: bool) -> None:
    wanted = checkpoint()
    torch.save(wanted, tmp_path / "m.pt", _use_new_zipfile_serialization=is_new)
    done = convert(tmp_path / "m.pt", tmp_path / "m.safetensors")
    written = load_file(tmp_path / "m.safetensors")
    tensors = names(wanted) | {"config.table": torch.arange(3), "array": torch.arange(4, dtype=torch.int32)}
    assert set(written) == set(tensors) == {proof.name for proof in done.proofs}
    assert all(torch.equal(written[name], tensor) for name, tensor in tensors.items())
    left = " ".join(done.left_out)
    for word in ("epoch (int)", "loss (float64)", "hyper_parameters (argparse.Namespace)", "Config)", "callbacks.best",
                 "optimizer.param_groups.0.lr (float)", "rng (", "seen (set)",
                 "texts (ndarray)", "size.0 (int)"):  # fmt: skip
        assert word in left


def test_a_whole_module_gives_its_state_dict(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    torch.save(model, tmp_path / "m.pt")
    done = convert(tmp_path / "m.pt", tmp_path / "m.safetensors")
    assert done.left_out == ("it (torch.nn.modules.container.Sequential: its code, hooks and settings)",)
    written = load_file(tmp_path / "m.safetensors")
    assert set(written) == set(model.state_dict())
    assert all(torch.equal(written[name], one) for name, one in model.state_dict().items())


def test_views_and_signs_are_written_as_they_are_meant(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    values = {
        "t": whole.T, "part": whole[1:3, ::2], "conj": torch.tensor([1 + 2j, 3 - 1j]).conj(),
        "neg": torch.tensor([1 + 2j]).conj().imag, "scalar": torch.tensor(3.0), "none": torch.empty(0, 3),
        "wide": torch.ones(1, 4).expand(3, 4), "big": torch.randn(900, 1700).T, "e8": whole.to(torch.float8_e8m0fnu),
        "fnuz": whole.to(torch.float8_e4m3fnuz), "u32": whole.to(torch.uint32), "flags": whole > 3,
    }  # fmt: skip
    torch.save(values, tmp_path / "m.pt")
    convert(tmp_path / "m.pt", tmp_path / "m.safetensors")
    written = load_file(tmp_path / "m.safetensors")
    for name, one in values.items():
        assert written[name].dtype == one.dtype
        assert written[name].shape == one.shape
        same = (part.resolve_conj().resolve_neg().contiguous().numpy() if part.dtype not in
                {torch.float8_e8m0fnu, torch.float8_e4m3fnuz} else part.contiguous().view(torch.uint8).numpy()
                for part in (written[name], one))  # fmt: skip
        np.testing.assert_array_equal(*same)


def test_arrays_of_numpy_become_tensors(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.eye(3))[:, :2],
        "b": np.arange(3, dtype=">u2"),
    }
    np.savez(tmp_path / "m.npz", **arrays, text=np.array(["x"]))
    np.savez_compressed(tmp_path / "c.npz", **arrays)
    np.save(tmp_path / "m.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(arrays))
    for file in ("m.npz", "c.npz", "m.pkl"):
        done = convert(tmp_path / file, tmp_path / f"{file}.safetensors")
        written = load_file(tmp_path / f"{file}.safetensors")
        assert set(written) == set(arrays)
        for name, one in arrays.items():
            np.testing.assert_array_equal(written[name].numpy(), one)
        assert done.left_out == (("text (array of <U1)",) if file == "m.npz" else ())
    convert(tmp_path / "m.npy", tmp_path / "n.safetensors")
    np.testing.assert_array_equal(load_file(tmp_path / "n.safetensors")["tensor"].numpy(), np.load(tmp_path / "m.npy"))


def sharded(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    parts = [{"a.w": torch.randn(3, 2), "a.b": torch.ones(2)}, {"c.w": torch.arange(4)}]
    weights = {}
    for number, part in enumerate(parts, 1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save(part, folder / file)
        weights |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 1, "kind": "x"}, "weight_map": weights}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return parts[0] | parts[1]


def test_shards_become_shards_with_an_index(tmp_path: Path) -> None:
    wanted = sharded(tmp_path / "in")
    done = convert(tmp_path / "in", tmp_path / "out")
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert index["metadata"] == {"kind": "x", "total_size": sum(one.nbytes for one in wanted.values())}
    for name, one in wanted.items():
        assert torch.equal(load_file(tmp_path / "out" / index["weight_map"][name])[name], one)
    assert {proof.name: proof.file for proof in done.proofs} == index["weight_map"]
    with pytest.raises(InputError, match="is there already"):
        convert(tmp_path / "in", tmp_path / "out")


def test_a_broken_set_of_shards_leaves_nothing(tmp_path: Path) -> None:
    sharded(tmp_path / "in")
    index = tmp_path / "in" / "pytorch_model.bin.index.json"
    whole = json.loads(index.read_text())
    cases = [
        ({"weight_map": whole["weight_map"] | {"z": "pytorch_model-00001-of-00002.bin"}}, "lacks z"),
        ({"weight_map": whole["weight_map"] | {"z": "../x.bin"}}, "another folder"),
        ({"weight_map": whole["weight_map"] | {"z": "gone.bin"}}, "gone.bin isn't there"),
        ({"weight_map": {}}, "no index"), ([], "no index"),
    ]  # fmt: skip
    for content, word in cases:
        index.write_text(json.dumps(content))
        with pytest.raises(InputError, match=word):
            convert(index, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def saved(path: Path, value: Any = None) -> Path:
    torch.save({"w": torch.arange(1000.0)} if value is None else value, path)
    return path


def test_damage_of_every_sort_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    content = saved(tmp_path / "m.pt").read_bytes()
    at = content.index(np.arange(1000, dtype="f4").tobytes()) + 400
    flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    old = io.BytesIO()
    torch.save({"w": torch.arange(1000.0)}, old, _use_new_zipfile_serialization=False)
    broken = {
        "cut": content[: len(content) // 2], "flipped": flipped, "empty": b"", "old": old.getvalue()[:-100],
        "text": b"hello\n", "npy": b"\x93NUMPY\x01\0v\0{'descr': nonsense", "zip": b"PK\x03\x04" + b"\0" * 60,
        "attack": b"\x80\x02}X\1\0\0\0wcos\nsystem\nX\2\0\0\0id\x85Rs.",
    }  # fmt: skip
    words = {
        "flipped": "checksum",
        "attack": r"os\.system.*`mithridate scan`",
        "old": "breaks off",
        "npy": "broken head",
    }
    for name, one in broken.items():
        (tmp_path / name).write_bytes(one)
        with pytest.raises(InputError, match=words.get(name)) as caught:
            convert(tmp_path / name, tmp_path / "out.safetensors")
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*out*"))


def test_torch_files_without_checksums_are_read(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        saved(tmp_path / "m.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    convert(tmp_path / "m.pt", tmp_path / "m.safetensors")
    assert torch.equal(load_file(tmp_path / "m.safetensors")["w"], torch.arange(1000.0))


def test_zipped_anew_with_compression_it_is_still_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(saved(tmp_path / "m.pt")) as archive, zipfile.ZipFile(tmp_path / "d.pt", "w", 8) as packed:
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    convert(tmp_path / "d.pt", tmp_path / "m.safetensors")
    assert torch.equal(load_file(tmp_path / "m.safetensors")["w"], torch.arange(1000.0))


def test_two_tensors_of_one_name_are_not_merged(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt", {"a.b": torch.ones(1), "a": {"b": torch.zeros(1)}})
    with pytest.raises(InputError, match=r"'a\.b'"):
        convert(tmp_path / "m.pt", tmp_path / "m.safetensors")


def test_the_command_never_writes_over_a_file_unasked(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt")
    out = tmp_path / "m.safetensors"
    out.write_bytes(b"mine")
    arguments = ["convert", str(tmp_path / "m.pt"), str(out)]
    refused = CliRunner().invoke(cli, arguments)
    assert "--force" in str(refused.exception)
    assert out.read_bytes() == b"mine"
    done = CliRunner().invoke(cli, [*arguments, "--force", "--proof", str(tmp_path / "p.json")])
    assert done.exit_code == 0
    proof = json.loads((tmp_path / "p.json").read_text())
    assert proof["tensors"][0]["sha256"] == proof["tensors"][0]["written_sha256"]


def test_the_command_says_what_is_wrong_with_a_path(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt")
    cases = [
        ((tmp_path / "gone.pt", tmp_path / "o.safetensors"), "no such file"),
        ((tmp_path, tmp_path / "o.safetensors"), "m.pt"),
        ((tmp_path / "m.pt", tmp_path / "o.bin"), "o.bin.safetensors"),
        ((tmp_path / "m.pt", tmp_path / "no" / "o.safetensors"), "no folder"),
    ]  # fmt: skip
    for (here, there), word in cases:
        done = CliRunner().invoke(cli, ["convert", str(here), str(there)])
        assert isinstance(done.exception, InputError)
        assert word in str(done.exception)


def test_a_file_that_is_no_checkpoint_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + bytes(range(256)))
    with pytest.raises(InputError, match="it looks like no pickle"):
        convert(tmp_path / "t.parquet", tmp_path / "t.safetensors")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt")
    (tmp_path / "ro").mkdir(mode=0o500)
    with pytest.raises(InputError, match="ro"):
        convert(tmp_path / "m.pt", tmp_path / "ro" / "o.safetensors")


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt", {"\x1b[2Jw": torch.ones(1), "e\x1b]0;x": 3})
    done = CliRunner().invoke(cli, ["convert", str(tmp_path / "m.pt"), str(tmp_path / "m.safetensors")])
    assert done.exit_code == 0
    assert "\x1b" not in done.output
