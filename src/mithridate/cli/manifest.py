"""`mithridate manifest`: what every record was, proofs of it, and what changed since."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mithridate.cli.common import (
    check_outputs,
    check_writable,
    command_line,
    print_claims,
    printable,
    progress,
    refuse_source,
    source_options,
)
from mithridate.cli.identity import identity_options, signatory_of, trusted
from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.data.layout import Wish

_PAIR = re.compile(r"\[\n\s*(-?\d+),\n\s*(-?\d+)\n\s*\]")  # no string of JSON holds a line break
SALT = click.option("--salt-file", metavar="F", help="A secret salt: without it nobody can test guesses of a record.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
OUTPUT = click.option("-o", "--output", metavar="FILE", help="Write the JSON here instead of printing it.")


@click.group("manifest")
def command() -> None:
    """Record what every row is, prove it later, find what changed since."""


@command.command("build")
@click.argument("source")
@source_options
@click.option("-o", "--output", required=True, metavar="M", help="Where the manifest goes: one Parquet file.")
@click.option("--time", metavar="C", help="The column that says when a row was fetched; kept beside its leaf.")
@click.option("--leave-out", "left_out", multiple=True, metavar="C", help="A column that no leaf covers. Repeatable.")
@SALT
@QUIET
def build(source: str, output: str, salt_file: str | None, *, quiet: bool, **columns: Any) -> None:
    """Write the manifest M of SOURCE: one leaf a row, one root for all.

    A leaf covers every column of its row but --time and those left out by name.
    The same values give the same root in every file format and layout. SOURCE is
    only read. Sign M with `mithridate sign M --key K.pem -o M.sig`.
    """
    check_writable(output)
    refuse_source(output, source)
    from mithridate.flows.manifest import build_manifest

    with progress(quiet=quiet) as steps:
        head = build_manifest(source, output, wish=_wish(columns), salt_file=salt_file, progress=steps)
    if quiet:
        return
    click.echo(f"{head.rows:,} records, root {head.root}")
    layout = head.layout
    click.echo(f"covered: {printable(_listed(layout.covered))}")
    if layout.left_out:
        click.echo(f"not covered: {printable(_listed(layout.left_out))}")
    click.echo(output)


@command.command("verify")
@click.argument("manifest", metavar="M")
@click.argument("source")
@source_options
@click.option("-o", "--output", multiple=True, metavar="FILE", help="Write the report. Repeatable.")
@click.option("--signature", "signatures", multiple=True, metavar="SIG", help="Check M's own signature. Repeatable.")
@click.option("--key", "keys", multiple=True, metavar="K.pub", help="A public key that you trust. Repeatable.")
@click.option("--policy", "policy_file", metavar="P", help="Who must have signed M (TOML or JSON).")
@identity_options
@SALT
@QUIET
def verify(manifest: str, source: str, output: tuple[str, ...], *, quiet: bool, **options: Any) -> None:
    """Compare SOURCE with its manifest M, row by row.

    Whoever can change SOURCE may be able to change M too: pass M's --signature
    and the --key of whoever vouched for it; or --sigstore and whose identity did.
    Neither asks the network.

    Exit code: 0 when every row is what M recorded, 1 when not (a finding names
    the rows), 2 when it could not be checked.
    """
    check_outputs(output)
    signatures, keys, policy_file = (options.pop(name) for name in ("signatures", "keys", "policy_file"))
    for path in output:
        for given in (source, manifest, *signatures, *keys):
            refuse_source(path, given)
    signatory = signatory_of(options)
    if (keys or policy_file or signatory) and not signatures:
        raise InputError("--key, --policy, --sigstore check the manifest's signature; pass it with --signature SIG")
    from mithridate.flows.audit_report import save_report
    from mithridate.flows.manifest import known, verify_manifest
    from mithridate.flows.provenance import with_signature
    from mithridate.supply.signing.policy import read_policy

    known_keys = trusted(keys)
    policy = None if policy_file is None else read_policy(policy_file)
    salt_file, wish = options.pop("salt_file"), known(manifest, _wish(options))
    with progress(quiet=quiet) as steps:
        report = verify_manifest(
            manifest, source, wish=wish, salt_file=salt_file, command=command_line(), progress=steps
        )
    if signatures:
        report = with_signature(report, manifest, signatures, known_keys, policy=policy, signatory=signatory)
    for path in output:
        save_report(report, path)
    if not quiet:
        left = report.target.extra["not_covered"]
        rest = f"; not covered and not checked: {_listed(left)}" if left else ""
        if left and report.target.extra["manifest_version"] == 1:
            rest += f" ({manifest} is of version 1; a new one covers every column)"
        print_claims(report, f"all {report.target.rows:,} records are those of {manifest}{rest}")
    raise click.exceptions.Exit(1 if report.findings else 0)


@command.command("prove")
@click.argument("manifest", metavar="M", required=False)
@click.option("--row", type=click.IntRange(min=0), metavar="N", help="The row, counted from 0 in reading order.")
@click.option("--record", metavar="F", help="A file with one record: prove it, or check that a proof is of it.")
@click.option("--not-in", metavar="M2", help="Also prove that the record is not in M2: it was deleted.")
@click.option("--check", metavar="PROOF.json", help="Check a proof, against M if it is given.")
@SALT
@OUTPUT
def prove(manifest: str | None, row: int | None, output: str | None, **options: str | None) -> None:
    """Prove that a record is in the manifest M, in some kilobytes; or check a proof.

    Exit code: 0 proven or holds, 1 when the record is not in M or the proof does
    not hold, 2 when it could not be told.
    """
    from mithridate.flows.proofs import check_proof, prove_row, row_of

    record, salt_file = options["record"], options["salt_file"]
    if options["check"] is not None:
        raw = _read_json(options["check"])
        wrong = check_proof(raw, manifest=manifest, other=options["not_in"], record=record, salt_file=salt_file)
        click.echo(printable("; ".join(wrong) or "the proof holds" + _if_trusted(raw, manifest, options["not_in"])))
        raise click.exceptions.Exit(1 if wrong else 0)
    if manifest is None or (row is None) == (record is None):
        raise InputError("a proof needs M and --row N or --record F; to check one: prove --check PROOF.json [M]")
    row = row if record is None else row_of(manifest, record, salt_file=salt_file)
    if row is None:
        click.echo(f"the record is not in {printable(manifest)}")
        raise click.exceptions.Exit(1)
    _write_json(prove_row(manifest, row, not_in=options["not_in"]), output, manifest)


def _if_trusted(raw: Any, manifest: str | None, other: str | None) -> str:
    """What a proof that holds still rests on."""
    rest = "" if manifest is not None else f", if this root is the one that you trust: {raw['root']}"
    if "absent" in raw and other is None:
        rest += f", and this index that of the other manifest: {raw['absent'].get('index')}"
    return rest


@command.command("diff")
@click.argument("first", metavar="M1")
@click.argument("second", metavar="M2")
@OUTPUT
def diff(first: str, second: str, output: str | None) -> None:
    """What happened to the records from M1 to M2, as JSON.

    Exit code: 0 when they are the same, 1 when not, 2 when they can't be compared.
    """
    from mithridate.flows.manifest import diff_manifests

    found = diff_manifests(first, second)
    _write_json(dict(found.facts), output, first, second)
    raise click.exceptions.Exit(0 if found.same else 1)


@command.command("trace")
@click.argument("manifest", metavar="M")
@click.option("--row", type=click.IntRange(min=0), required=True, metavar="N", help="The row, counted from 0.")
@click.option(
    "--statements", multiple=True, metavar="PATH", help="Signatures, or folders of them (default: M's folder)."
)
@click.option("--key", "keys", multiple=True, metavar="K.pub", help="A public key that you trust. Repeatable.")
@identity_options
@OUTPUT
def trace(
    manifest: str, row: int, statements: tuple[str, ...], keys: tuple[str, ...], output: str | None, **identity: Any
) -> None:
    """From row N to its source, data set, training runs, models and predictions.

    A statement that none of your keys signed, nor the identity that --sigstore
    names, is listed as not verified. A link is
    broken where statements of its kind are there and none leads on from the step
    before, such as a prediction by another model.

    Exit code: 0, 1 when a link is broken, 2 when it could not be told.
    """
    from mithridate.flows.provenance import trace_row

    signatory = signatory_of(identity)
    found = trace_row(manifest, row, statements=statements, keys=trusted(keys), signatory=signatory)
    broken = any(link["state"] == "broken" for link in found["links"])
    if output is not None:
        _write_json(found, output, manifest)
        raise click.exceptions.Exit(1 if broken else 0)
    _print_trace(found, row)
    raise click.exceptions.Exit(1 if broken else 0)


def _print_trace(found: dict[str, Any], row: int) -> None:
    record, dataset = found["record"], found["dataset"]
    click.echo(f"record    row {row}, leaf {record['leaf']}")
    if "source" in record:
        click.echo(f"source    {printable(record['source'])}")
    click.echo(f"data set  {printable(dataset['name'])}, {dataset['rows']:,} rows, root {dataset['root']}")
    for kind in ("datasets", "audits", "training_runs", "models", "evaluations", "predictions"):
        for item in found[kind]:
            who = ", ".join(map(_signer, item["signed_by"])) or "not verified: signed by nobody you named"
            names = ", ".join(printable(subject["name"]) for subject in item["subjects"])
            if item.get("same_file") is False:
                who += "; for the same records in another file: it doesn't vouch for the source above"
            click.echo(f"{item['type']:<13}{names} ({printable(item['file'])}; {who})")
    for link in found["links"]:
        if link["state"] != "holds":
            click.echo(f"{link['state']:<10}{link['link']}: {printable(link['why'])}")


def _signer(name: str) -> str:
    """A key's id, shortened, or an identity in full."""
    return printable(name) if name.startswith("identity ") else f"key {name[:16]}"


@command.command("export")
@click.argument("manifest", metavar="M")
@click.option("--format", "form", type=click.Choice(["cyclonedx", "croissant"]), required=True)
@click.option("--data", metavar="SOURCE", help="Croissant: the data file that M is of; it is compared first.")
@click.option("--model", "models", multiple=True, metavar="PATH", help="CycloneDX: a model trained on it. Repeatable.")
@click.option("--url", default="", help="Croissant: where the data set is found.")
@click.option("--licence", default="", help="Croissant: its licence.")
@SALT
@OUTPUT
def export(manifest: str, output: str | None, **options: Any) -> None:
    """Write M as a CycloneDX 1.6 ML-BOM or as Croissant metadata."""
    from mithridate.flows.provenance import export as exported

    _write_json(exported(manifest, **options), output, manifest)


def _wish(columns: dict[str, Any]) -> Wish:
    from mithridate.data.layout import Wish

    return Wish(
        columns["label"], columns["source_column"], columns["content"], columns["modality"], columns.get("time"),
        left_out=columns.get("left_out", ()),
    )  # fmt: skip


def _listed(names: Any, most: int = 8) -> str:
    shown = ", ".join(map(str, names[:most]))
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _read_json(path: str) -> Any:
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}; check the path") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON; write it again") from error


def _write_json(content: dict[str, Any], output: str | None, *inputs: str) -> None:
    body = _PAIR.sub(r"[\1, \2]", json.dumps(content, indent=1)) + "\n"
    if output is None:
        click.echo(body, nl=False)
        return
    check_writable(output)
    for path in inputs:
        refuse_source(output, path)
    from mithridate.core.files import write_atomic

    write_atomic(output, body.encode())
    click.echo(output)
