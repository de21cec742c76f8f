"""Seals under attack: whatever isn't exactly what was sealed is refused, and nothing of it is left."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.core.errors import InputError, Refused
from mithridate.supply.sealing import sealed as sealing
from mithridate.supply.sealing.envelope import MAC_BYTES, Fixed, read_header, wrapped
from mithridate.supply.sealing.folders import unpack
from mithridate.supply.sealing.keys import new_identity, read_identity, read_passphrase, read_recipient
from mithridate.supply.sealing.kms import FileKms, KmsKey, service
from mithridate.supply.sealing.recipients import Passphrase, PrivateKey, PublicKey
from mithridate.supply.sealing.stream import TAG_BYTES, encrypt, nonce

CHUNK_LOG2 = 12
CHUNK = 1 << CHUNK_LOG2


@pytest.fixture
def keys(tmp_path: Path) -> tuple[PublicKey, PrivateKey]:
    public = new_identity(tmp_path / "k.pem")
    return read_recipient(public), read_identity(tmp_path / "k.pem")


def make(folder: Path, content: bytes, recipient: PublicKey, name: str = "plain") -> Path:
    """The content, sealed in small chunks."""
    (folder / name).write_bytes(content)
    target = folder / f"{name}.sealed"
    sealing.seal(folder / name, target, [recipient], chunk_log2=CHUNK_LOG2)
    return target


def is_refused(folder: Path, content: bytes, identity: PrivateKey) -> bool:
    """Whether these bytes are refused without a trace."""
    place = folder / "attempt"
    place.mkdir(exist_ok=True)
    (place / "sealed").write_bytes(content)
    try:
        sealing.open_sealed(place / "sealed", place / "opened", [identity])
    except Refused:
        return [path.name for path in place.iterdir()] == ["sealed"]
    return False


def header_size(path: Path) -> int:
    with path.open("rb") as file:
        return read_header(file.fileno()).size


def chunks_of(path: Path) -> list[bytes]:
    body = path.read_bytes()[header_size(path) :]
    return [body[i : i + CHUNK + TAG_BYTES] for i in range(0, len(body), CHUNK + TAG_BYTES)]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_what_was_sealed_comes_back(tmp_path: Path, keys: tuple[PublicKey, PrivateKey], size: int) -> None:
    content = os.urandom(size)
    path = make(tmp_path, content, keys[0])
    sealing.open_sealed(path, tmp_path / "opened", [keys[1]])
    assert (tmp_path / "opened").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "opened").stat().st_mode) == 0o600
    assert len(chunks_of(path)) == max(1, -(-size // CHUNK))
    assert content[:64] not in path.read_bytes() or size < 8


@pytest.mark.parametrize("size", [0, CHUNK, 2 * CHUNK + 5])
def test_truncation_anywhere_is_refused(tmp_path: Path, keys: tuple[PublicKey, PrivateKey], size: int) -> None:
    path = make(tmp_path, os.urandom(size), keys[0])
    whole, head = path.read_bytes(), header_size(path)
    borders = range(head, len(whole), CHUNK + TAG_BYTES)
    cuts = {0, 1, 8, head - 1, *borders, *(b + d for b in borders for d in (-1, 1, TAG_BYTES)), len(whole) - 1}
    for cut in sorted(c for c in cuts if 0 <= c < len(whole)):
        assert is_refused(tmp_path, whole[:cut], keys[1]), cut
    for more in (b"\0", bytes(TAG_BYTES), whole[head:]):
        assert is_refused(tmp_path, whole + more, keys[1])


def test_chunks_reordered_repeated_or_dropped_are_refused(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    path = make(tmp_path, os.urandom(4 * CHUNK), keys[0])
    head, (a, b, c, d) = path.read_bytes()[: header_size(path)], chunks_of(path)
    for order in ([b, a, c, d], [a, c, b, d], [a, b, d, c], [a, a, c, d], [a, b, d], [b, c, d], [a, b, c, d, d]):
        assert is_refused(tmp_path, head + b"".join(order), keys[1])
    assert not is_refused(tmp_path, head + a + b + c + d, keys[1])


def test_every_flipped_byte_of_the_header_is_refused(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    path = make(tmp_path, b"content", keys[0])
    whole = path.read_bytes()
    for position in range(header_size(path)):
        for bit in (0, 3, 7):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            assert is_refused(tmp_path, bytes(changed), keys[1]), (position, bit)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_of_the_content_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    public = new_identity(folder / "k.pem")
    path = make(folder, bytes(2 * CHUNK + 9), read_recipient(public))
    whole, head = bytearray(path.read_bytes()), header_size(path)
    bit = data.draw(st.integers(8 * head, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    assert is_refused(folder, bytes(whole), read_identity(folder / "k.pem"))


def test_chunks_and_headers_of_two_files_of_one_key_can_not_be_swapped(
    tmp_path: Path, keys: tuple[PublicKey, PrivateKey]
) -> None:
    one = make(tmp_path, os.urandom(2 * CHUNK), keys[0], "one")
    two = make(tmp_path, os.urandom(2 * CHUNK), keys[0], "two")
    heads = [path.read_bytes()[: header_size(path)] for path in (one, two)]
    (a, b), (c, d) = chunks_of(one), chunks_of(two)
    for whole in (heads[0] + c + b, heads[0] + a + d, heads[1] + a + b, heads[0] + c + d):
        assert is_refused(tmp_path, whole, keys[1])
    assert is_refused(tmp_path, heads[0][:-MAC_BYTES] + heads[1][-MAC_BYTES:] + a + b, keys[1])


def test_fixed_part_of_another_header_is_refused_even_with_a_right_mac(
    tmp_path: Path, keys: tuple[PublicKey, PrivateKey]
) -> None:
    path = make(tmp_path, os.urandom(CHUNK), keys[0])
    with sealing.SealedFile(path, [keys[1]]) as opened:
        file_key, fixed = opened.file_key, opened.header.fixed
    for other in (
        Fixed("folder", fixed.chunk_log2, fixed.label, fixed.salt),
        Fixed("file", fixed.chunk_log2 + 1, fixed.label, fixed.salt),
        Fixed("file", fixed.chunk_log2, "public", fixed.salt),
        Fixed("file", fixed.chunk_log2, fixed.label, bytes(32)),
    ):
        head = wrapped(other, file_key, [keys[0]])
        assert is_refused(tmp_path, head + b"".join(chunks_of(path)), keys[1])


def test_a_wrong_key_and_a_wrong_passphrase_open_nothing(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    path = make(tmp_path, b"content", keys[0])
    new_identity(tmp_path / "other.pem")
    assert is_refused(tmp_path, path.read_bytes(), read_identity(tmp_path / "other.pem"))
    sealing.seal(tmp_path / "plain", path, [Passphrase(b"right", log_n=10)])
    with pytest.raises(Refused, match="no key given fits"):
        sealing.open_sealed(path, tmp_path / "opened", [Passphrase(b"wrong")])
    assert not (tmp_path / "opened").exists()
    sealing.open_sealed(path, tmp_path / "opened", [Passphrase(b"right")])


def test_a_refused_open_leaves_the_file_that_was_there(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    path = make(tmp_path, os.urandom(3 * CHUNK), keys[0])
    (tmp_path / "opened").write_bytes(b"older")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Refused):
        sealing.open_sealed(path, tmp_path / "opened", [keys[1]])
    assert (tmp_path / "opened").read_bytes() == b"older"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("log_n", [19, 40, -1, 0, 1e300, True, "17", None, [17]])
def test_a_header_that_asks_for_much_memory_is_refused_unstretched(log_n: object) -> None:
    stanza = {**Passphrase(b"p", log_n=1).wrap(bytes(32), bytes(32)), "log_n": log_n}
    with pytest.raises(Refused, match="log_n"):
        Passphrase(b"p").unwrap(stanza, bytes(32))


def test_many_passphrase_stanzas_or_absurd_lengths_are_refused_unread(
    tmp_path: Path, keys: tuple[PublicKey, PrivateKey]
) -> None:
    path = make(tmp_path, b"content", keys[0])
    whole = path.read_bytes()
    fixed, at = whole[:44], 44
    bodies = [
        b'[{"kind":"scrypt"},{"kind":"scrypt"}]', b"[" * 100_000, b"[1]", b"{}", b"null", b"[]", b'[{"kind":1e999}]',
        b'[{"kind":"x25519","ephemeral":["a"],"wrapped":7}]', b'[{"kind":"x25519","ephemeral":"\xff"}]',
    ]  # fmt: skip
    for body in bodies:
        assert is_refused(tmp_path, fixed + len(body).to_bytes(4, "big") + body + bytes(32) + whole[at:], keys[1]), body
    assert is_refused(tmp_path, fixed + b"\xff\xff\xff\xff" + whole[at:], keys[1])


def test_an_ephemeral_key_of_small_order_opens_nothing(keys: tuple[PublicKey, PrivateKey]) -> None:
    stanza = keys[0].wrap(bytes(32), bytes(32))
    assert keys[1].unwrap({**stanza, "ephemeral": "A" * 43 + "="}, bytes(32)) is None
    assert keys[1].unwrap(stanza, bytes(32)) == bytes(32)
    assert keys[1].unwrap(stanza, b"1" * 32) is None


@settings(max_examples=80, deadline=None)
@given(junk=st.binary(max_size=400), keep=st.integers(0, 60))
def test_junk_is_refused_whatever_it_is(tmp_path_factory: pytest.TempPathFactory, junk: bytes, keep: int) -> None:
    folder = tmp_path_factory.mktemp("junk")
    public = new_identity(folder / "k.pem")
    path = make(folder, b"content", read_recipient(public))
    assert is_refused(folder, path.read_bytes()[:keep] + junk, read_identity(folder / "k.pem"))


@settings(max_examples=60, deadline=None)
@given(offset=st.integers(0, 4 * CHUNK), length=st.integers(0, 4 * CHUNK))
def test_any_part_reads_as_the_part_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, offset: int, length: int
) -> None:
    folder = tmp_path_factory.mktemp("part")
    public = new_identity(folder / "k.pem")
    content = os.urandom(3 * CHUNK + 11)
    with sealing.SealedFile(make(folder, content, read_recipient(public)), folder / "k.pem") as opened:
        assert opened.read(offset, length) == content[offset : offset + length]
        assert opened[offset : offset + length] == content[offset : offset + length]
        assert opened[-20:] == content[-20:]
        assert len(opened) == len(content)


def test_reading_a_part_touches_no_other_chunk(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    content = os.urandom(5 * CHUNK)
    path = make(tmp_path, content, keys[0])
    whole = bytearray(path.read_bytes())
    whole[header_size(path) + 2 * (CHUNK + TAG_BYTES)] ^= 1
    path.write_bytes(whole)
    with sealing.SealedFile(path, [keys[1]]) as opened:
        assert opened[:CHUNK] == content[:CHUNK]
        assert opened[4 * CHUNK - 5 :] == content[4 * CHUNK - 5 :]
        with pytest.raises(Refused, match="chunk 3 of 5"):
            opened.read(2 * CHUNK + 9, 1)


def test_a_file_cut_at_a_chunk_does_not_even_open_for_parts(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    path = make(tmp_path, os.urandom(5 * CHUNK), keys[0])
    path.write_bytes(path.read_bytes()[: header_size(path) + 3 * (CHUNK + TAG_BYTES)])
    with pytest.raises(Refused):
        sealing.SealedFile(path, [keys[1]])


def test_rewrapping_changes_who_can_open_and_not_the_content(
    tmp_path: Path, keys: tuple[PublicKey, PrivateKey]
) -> None:
    path = make(tmp_path, os.urandom(2 * CHUNK), keys[0])
    before = chunks_of(path)
    new = read_recipient(new_identity(tmp_path / "new.pem"))
    sealing.rewrap(path, [new, Passphrase(b"p", log_n=10)], [keys[1]])
    assert chunks_of(path) == before
    sealing.open_sealed(path, tmp_path / "opened", [read_identity(tmp_path / "new.pem")])
    assert (tmp_path / "opened").read_bytes() == (tmp_path / "plain").read_bytes()
    with pytest.raises(Refused):
        sealing.SealedFile(path, [keys[1]])
    with pytest.raises(Refused):
        sealing.rewrap(path, [keys[0]], [keys[1]])
    sealing.SealedFile(path, [Passphrase(b"p")]).close()


def test_folders_come_back_as_they_were(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    folder = tmp_path / "model"
    (folder / "a" / "empty").mkdir(parents=True)
    (folder / "a" / "weights.bin").write_bytes(os.urandom(CHUNK + 3))
    (folder / "a" / ("n" * 150)).write_bytes(b"")
    (folder / "ü\udcff.txt").write_bytes(b"odd name")
    sealing.seal(folder, tmp_path / "s", [keys[0]], chunk_log2=CHUNK_LOG2)
    sealing.open_sealed(tmp_path / "s", tmp_path / "back", [keys[1]])
    names = sorted(p.relative_to(folder) for p in folder.rglob("*"))
    assert sorted(p.relative_to(tmp_path / "back") for p in (tmp_path / "back").rglob("*")) == names
    assert all(
        (folder / n).read_bytes() == (tmp_path / "back" / n).read_bytes() for n in names if (folder / n).is_file()
    )
    with pytest.raises(InputError, match="there already"):
        sealing.open_sealed(tmp_path / "s", tmp_path / "back", [keys[1]])
    cut = tmp_path / "cut"
    cut.write_bytes((tmp_path / "s").read_bytes()[:-CHUNK])
    with pytest.raises(Refused):
        sealing.open_sealed(cut, tmp_path / "none", [keys[1]])
    assert not (tmp_path / "none").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_links_and_fifos_in_a_folder_are_refused_by_name(
    tmp_path: Path, keys: tuple[PublicKey, PrivateKey], kind: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    odd = folder / "odd"
    odd.symlink_to(folder) if kind == "link" else os.mkfifo(odd)
    with pytest.raises(InputError, match="odd"):
        sealing.seal(folder, tmp_path / "s", [keys[0]])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("name", ["../out", "/out", "link", "twice", "sparse"])
def test_hostile_tars_write_nothing_outside(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        if name == "sparse":
            entry.pax_headers = {"GNU.sparse.size": "99999999999", "GNU.sparse.map": "0,0"}
            tar.format = tarfile.PAX_FORMAT
        tar.addfile(entry)
        if name == "twice":
            tar.addfile(entry)
    content = buffer.getvalue()
    with pytest.raises((Refused, InputError)):
        unpack(lambda offset, length: content[offset : offset + length], tmp_path / "in" / "x")
    (tmp_path / "in").mkdir()
    with pytest.raises((Refused, InputError)):
        unpack(lambda offset, length: content[offset : offset + length], tmp_path / "in" / "x")
    assert list((tmp_path / "in").iterdir()) == []


def test_the_key_service_on_file_wraps_and_refuses_others(tmp_path: Path) -> None:
    FileKms.create(tmp_path / "kms")
    FileKms.create(tmp_path / "other")
    (tmp_path / "plain").write_bytes(b"content")
    ours = KmsKey(service(f"file:{tmp_path / 'kms'}"))
    sealing.seal(tmp_path / "plain", tmp_path / "s", [ours])
    with sealing.SealedFile(tmp_path / "s", ours) as opened:
        assert opened[:] == b"content"
    with pytest.raises(Refused):
        sealing.SealedFile(tmp_path / "s", KmsKey(FileKms(tmp_path / "other")))
    stanza = ours.wrap(bytes(32), bytes(32))
    assert ours.unwrap(stanza, b"1" * 32) is None
    assert stat.S_IMODE((tmp_path / "kms").stat().st_mode) == 0o600


def test_keys_are_private_never_overwritten_and_never_confused(tmp_path: Path) -> None:
    public = new_identity(tmp_path / "k.pem")
    assert public == tmp_path / "k.pub"
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    assert (tmp_path / "k.pem").read_bytes() not in public.read_bytes()
    assert "PRIVATE" not in repr(read_identity(tmp_path / "k.pem"))
    for call, name in ((read_recipient, "k.pem"), (read_identity, "k.pub"), (read_identity, "none")):
        with pytest.raises(InputError):
            call(tmp_path / name)
    with pytest.raises(InputError, match="never overwritten"):
        new_identity(tmp_path / "k.pem")
    (tmp_path / "p").write_bytes(b"two words\r\n")
    assert read_passphrase(tmp_path / "p").passphrase == b"two words"
    (tmp_path / "p").write_bytes(b"\n")
    with pytest.raises(InputError, match="empty"):
        read_passphrase(tmp_path / "p")


def test_chunk_zero_of_the_stream_is_plain_aes_gcm_with_the_nonce_worked_by_hand() -> None:
    key, chunks = bytes(range(32)), list[bytes]()
    encrypt(key, b"context", [b"one", b"two"], lambda chunk: chunks.append(bytes(chunk)))
    first, last = chunks
    assert AESGCM(key).decrypt(bytes(12), first, b"context") == b"one"
    assert AESGCM(key).decrypt(bytes(10) + b"\x01\x01", last, b"context") == b"two"
    assert nonce(1, last=True) == bytes(10) + b"\x01\x01"


def test_a_killed_open_leaves_no_part_of_the_content(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    (tmp_path / "plain").write_bytes(b"secret" * 100)
    sealing.seal(tmp_path / "plain", tmp_path / "s", [keys[0]], chunk_log2=CHUNK_LOG2)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from mithridate.core.files import whole_file\n"
        "with whole_file(Path(sys.argv[1]), mode=0o600) as sink:\n"
        "    sink.write(b'secret'); sink.flush(); print('written', flush=True); time.sleep(60)\n"
    )
    place = tmp_path / "place"
    place.mkdir()
    with subprocess.Popen([sys.executable, "-c", code, place / "opened"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    if sys.platform == "linux":
        assert list(place.iterdir()) == []


def test_a_fifo_or_a_missing_file_is_one_clear_line(tmp_path: Path, keys: tuple[PublicKey, PrivateKey]) -> None:
    os.mkfifo(tmp_path / "fifo")
    started = time.monotonic()
    for name, match in (("fifo", "neither a file nor a folder"), ("missing", "can't read")):
        with pytest.raises(InputError, match=match):
            sealing.seal(tmp_path / name, tmp_path / "s", [keys[0]])
        with pytest.raises(InputError, match=match):
            sealing.SealedFile(tmp_path / name, [keys[1]])
    assert time.monotonic() - started < 5
    (tmp_path / "plain").write_bytes(b"x")
    with pytest.raises(InputError, match="no plain file"):
        sealing.seal(tmp_path / "plain", tmp_path / "fifo", [keys[0]])
    (tmp_path / "link").symlink_to(tmp_path / "s")
    sealing.seal(tmp_path / "plain", tmp_path / "link", [keys[0]])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "s").read_bytes().startswith(b"MITHSEAL")
    with pytest.raises(InputError, match="source itself"):
        sealing.seal(tmp_path / "plain", tmp_path / "plain", [keys[0]])
