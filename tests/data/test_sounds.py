"""Folders of .wav files and arrays of samples: every depth of PCM, and one clear line for what is none."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mithridate.cli import cli
from mithridate.core.errors import InputError
from mithridate.data.read import read
from mithridate.data.write import write, write_dataset
from mithridate.flows.attack import attack_file

RATE = 8000


def save(path: Path, samples: np.ndarray, *, width: int = 2, channels: int = 1, rate: int = RATE) -> None:
    """Samples in [-1, 1) as PCM of that depth, repeated over the channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.rint(samples * 2.0 ** (8 * width - 1)).astype(np.int64) + (128 if width == 1 else 0)
    raw = np.repeat(whole, channels).astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    with wave.open(str(path), "wb") as sound:
        sound.setparams((channels, width, rate, 0, "NONE", ""))
        sound.writeframes(np.ascontiguousarray(raw).tobytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for row in range(24):
        save(tmp_path / "in" / ("bird" if row % 2 else "bell") / f"{row}.wav", np.round(rng.uniform(-0.9, 0.9, 400), 2))
    return tmp_path / "in"


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_depth_and_channel_count_gives_the_samples(tmp_path: Path, width: int, channels: int) -> None:
    samples = np.array([0.0, 0.5, -1.0, 0.25])
    save(tmp_path / "a.wav", samples, width=width, channels=channels)
    data = read(tmp_path, modality="audio")
    assert data.content.dtype == np.float32
    np.testing.assert_allclose(data.content[0], samples, atol=1e-7)
    assert (data.modality, data.rate, data.codes) == ("audio", RATE, None)


def test_class_folders_label_and_short_sounds_are_filled_up(folder: Path) -> None:
    save(folder / "bell" / "zz.wav", np.full(100, 0.5))
    data = read(folder, modality="audio")
    assert data.classes == ("bell", "bird")
    assert data.content.shape == (25, 400)
    row = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.wav")).index("bell/zz.wav")
    assert (data.content[row] == np.r_[np.full(100, 0.5), np.zeros(300)]).all()


def test_arrays_and_their_rate_survive_npz_with_the_same_hashes(folder: Path, tmp_path: Path) -> None:
    data = read(folder, modality="audio")
    write_dataset(data, tmp_path / "a.npz")
    again = read(tmp_path / "a.npz", modality="audio", label="label")
    assert (again.hashes == data.hashes).all()
    assert again.rate == RATE
    np.savez(tmp_path / "i.npz", x=(data.content * 32768).astype(np.int16))
    whole = read(tmp_path / "i.npz", modality="audio")
    assert (whole.hashes == data.hashes).all()
    assert whole.rate == 16_000


def test_attack_and_clean_write_folders_of_sounds(folder: Path, tmp_path: Path) -> None:
    told = attack_file("label-flip", folder, tmp_path / "out", rate=0.25, columns={"modality": "audio"})
    clean, again = read(folder, modality="audio"), read(tmp_path / "out", modality="audio")
    assert sorted(again.hashes.tolist()) == sorted(clean.hashes.tolist())
    before = dict(zip(clean.hashes.tolist(), clean.y.tolist(), strict=True))
    moved = [row for row in range(24) if before[again.hashes[row].tobytes()] != again.y[row]]
    assert len(moved) == told.n_poisoned == 6
    write(folder, [0, 3, 5], tmp_path / "kept")
    assert (read(tmp_path / "kept", modality="audio").hashes == clean.hashes[[0, 3, 5]]).all()


def test_samples_that_need_more_bits_are_kept(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a" / "a.wav", np.array([1, -3, 2**22]) / 2**23, width=3)
    save(tmp_path / "in" / "b" / "b.wav", np.array([0.1, 0.2, 0.3]))
    attack_file("label-flip", tmp_path / "in", tmp_path / "out", rate=0.5, columns={"modality": "audio"})
    assert sorted(read(tmp_path / "out", modality="audio").hashes.tolist()) == sorted(
        read(tmp_path / "in", modality="audio").hashes.tolist()
    )


def test_what_cannot_be_heard_is_one_clear_line(folder: Path, tmp_path: Path) -> None:
    def told(match: str, *, path: Path = folder) -> None:
        with pytest.raises(InputError, match=match):
            read(path, modality="audio")

    save(folder / "bell" / "fast.wav", np.zeros(9), rate=9000)
    told("differ in rate")
    (folder / "bell" / "fast.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    told("isn't a PCM")
    save(folder / "bell" / "fast.wav", np.zeros(9000))
    (folder / "bell" / "fast.wav").write_bytes((folder / "bell" / "fast.wav").read_bytes()[:99])
    told("cut short|isn't a PCM")
    (tmp_path / "empty").mkdir()
    told("holds no sounds", path=tmp_path / "empty")
    with pytest.raises(InputError, match="--modality audio"):
        read(folder)
    (tmp_path / "t.csv").write_text("a,label\n1,2\n")
    told("sounds are read from", path=tmp_path / "t.csv")


def test_the_command_line_audits_a_folder_of_sounds(folder: Path) -> None:
    words = ["audit", str(folder), "--modality", "audio", "--power", "off", "-q", "-o", str(folder.parent / "r.html")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code in {0, 2}, done.output
    assert (folder.parent / "r.html").stat().st_size > 1000
