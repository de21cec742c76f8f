"""`mithridate convert IN OUT.safetensors`: a model file as plain tensors, with a proof for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mithridate.cli.common import check_writable
from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.supply.conversion.convert import Conversion, Proof

_NAME, _SHAPE, _DIGEST, _LEFT = 36, 16, 16, 20  # a line of 80 columns for most names


@click.command("convert")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.safetensors")
@click.option("--proof", "proof_file", metavar="P.json", help="Write every digest, and what stays behind, there.")
@click.option("--force", is_flag=True, help="Replace OUT where it is there already.")
@click.option("--full", is_flag=True, help="Print whole digests.")
@click.option("-q", "--quiet", is_flag=True, help="Print no table.")
def command(source: str, target: str, *, proof_file: str | None, force: bool, full: bool, quiet: bool) -> None:
    """Write the tensors of IN as safetensors.

    IN is a file of torch.save (.pt, .pth, .bin), a pickle or joblib file of
    arrays, .npy, .npz, or a folder of shards with its index; OUT is then a new
    folder. Nothing in IN is run: tensors come over, whatever stands around
    them stays behind and is named. The table has each tensor's name, type,
    shape and the first 16 digits of the SHA-256 of its bytes, equal in IN and
    in OUT, which is read back from the disk; --full prints all of it. OUT is
    written in one step, and only when all are equal.
    """
    from mithridate.supply.conversion.convert import convert
    from mithridate.supply.conversion.shards import index_of

    if not target.endswith(".safetensors") and not _is_sharded(source, index_of):
        raise InputError(f"the output is a safetensors file; call it {target}.safetensors")
    for path in (target, proof_file):
        if path:
            check_writable(path.rstrip("/"))
    done = convert(source, target, overwrite=force)
    if proof_file:
        _write_proof(proof_file, source, target, done)
    if not quiet:
        click.echo(f"{'tensor':<{_NAME}} {'type':<8} {'shape':<{_SHAPE}} sha256, on both")
        for one in done.proofs:
            click.echo(_line(one, full=full))
    if done.left_out:
        click.echo("left out, because safetensors holds tensors alone:")
        for left in done.left_out[:_LEFT]:
            click.echo(f"  {printable(left)}")
        if len(done.left_out) > _LEFT:
            click.echo(f"  and {len(done.left_out) - _LEFT} more; --proof P.json names all")
    click.echo(f"{len(done.proofs)} of {len(done.proofs)} tensors are equal on both sides\n{target}")


def _is_sharded(source: str, index_of: Any) -> bool:
    from pathlib import Path

    return Path(source).is_dir() or index_of(Path(source)) is not None


def _line(one: Proof, *, full: bool) -> str:
    digest = one.digest if full else one.digest[:_DIGEST]
    shape = "x".join(map(str, one.shape)) or "scalar"
    shared = f"  shares its bytes with {printable(one.shares)}" if one.shares else ""
    return f"{printable(one.name):<{_NAME}} {one.dtype:<8} {shape:<{_SHAPE}} {digest}{shared}"


def printable(text: str) -> str:
    """The text as a terminal may show it: whatever would steer one is spelt out."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _write_proof(path: str, source: str, target: str, done: Conversion) -> None:
    import json

    from mithridate.core.files import write_atomic

    tensors = [
        {"name": one.name, "dtype": one.dtype, "shape": list(one.shape), "sha256": one.digest,
         "written_sha256": one.written_digest, "shares": one.shares, "file": one.file}
        for one in done.proofs
    ]  # fmt: skip
    content = {"source": source, "target": target, "tensors": tensors, "left_out": list(done.left_out)}
    write_atomic(path, (json.dumps(content, indent=2) + "\n").encode("utf-8", "backslashreplace"))
