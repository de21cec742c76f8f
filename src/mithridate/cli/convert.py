"""`mithridate convert IN OUT.safetensors`: a torch file as plain tensors, with a proof for each."""

from __future__ import annotations

import click

from mithridate.cli.common import check_writable
from mithridate.core.errors import InputError

_NAME, _SHAPE, _DIGEST, _LEFT = 36, 16, 16, 20  # a line of 80 columns for most names


@click.command("convert")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.safetensors")
@click.option("--full", is_flag=True, help="Print whole digests.")
@click.option("-q", "--quiet", is_flag=True, help="Print no table.")
def command(source: str, target: str, *, full: bool, quiet: bool) -> None:
    """Write the tensors of IN (torch.save: .pt, .pth, .bin) as safetensors.

    Nothing in IN is run: what isn't a tensor, a container or a plain value is
    refused by name. The table has each tensor's name, type, shape and the first
    16 digits of the SHA-256 of its bytes, equal in IN and in OUT, which is read back
    from the disk; --full prints all of it. OUT is written in one step, and only
    when all are equal.
    """
    if not target.endswith(".safetensors"):
        raise InputError(f"the output is a safetensors file; call it {target}.safetensors")
    check_writable(target)
    from mithridate.supply.convert import convert

    done = convert(source, target)
    if not quiet:
        click.echo(f"{'tensor':<{_NAME}} {'type':<8} {'shape':<{_SHAPE}} sha256, on both")
        for proof in done.proofs:
            digest = proof.digest if full else proof.digest[:_DIGEST]
            shape = "x".join(map(str, proof.shape)) or "scalar"
            shared = f"  shares its bytes with {proof.shares}" if proof.shares else ""
            click.echo(f"{proof.name:<{_NAME}} {proof.dtype:<8} {shape:<{_SHAPE}} {digest}{shared}")
    if done.left_out:
        more = f" and {len(done.left_out) - _LEFT} more" if len(done.left_out) > _LEFT else ""
        click.echo(f"left out, because safetensors holds tensors alone: {', '.join(done.left_out[:_LEFT])}{more}")
    click.echo(f"{len(done.proofs)} of {len(done.proofs)} tensors are equal on both sides\n{target}")
