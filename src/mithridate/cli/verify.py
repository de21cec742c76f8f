"""`mithridate verify PATH --signature SIG --key K.pub`: whether this is what somebody signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mithridate.cli.access import enforcer, one_file, rule_options
from mithridate.cli.common import check_outputs, command_line, print_claims, refuse_source
from mithridate.cli.identity import identity_options, signatory_of, trusted
from mithridate.core.access import are_rules


@click.command("verify")
@click.argument("path")
@click.option("--signature", "signatures", multiple=True, required=True, metavar="SIG", help="Repeatable.")
@click.option("--key", "keys", multiple=True, metavar="K.pub", help="A public key that you trust. Repeatable.")
@click.option("--policy", "policy_file", metavar="P", help="Who must have signed what (TOML or JSON).")
@identity_options
@click.option("-o", "--output", multiple=True, metavar="FILE", help="Write the report. Repeatable.")
@rule_options
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    path: str,
    signatures: tuple[str, ...],
    keys: tuple[str, ...],
    policy_file: str | None,
    output: tuple[str, ...],
    *,
    quiet: bool,
    **rules: Any,
) -> None:
    """Check that PATH is, byte for byte, what was signed, and by whom.

    Every SIG must be by one of the keys and fit PATH: no file changed, gone, or
    come in beside it. With --policy P all of its rules must be met as well; its
    keys count like --key. A policy in TOML:

    \b
      schema = "mithridate.policy/1"
      [keys]
      release = "release.pub"
      lab = "lab.pub"
      [[rule]]
      type = "model"
      all_of = ["release", {any_of = ["lab"]}]

    With --sigstore nothing is asked of the network: the bundle is held against the
    trust root that the sigstore package has.

    Exit code: 0 only when everything holds, 1 when it does not (a finding says
    what) or the --access rules deny it, 2 when it could not be checked.
    """  # noqa: D301 - click keeps the lines of a block that begins with the character itself
    check_outputs(output)
    for file in output:
        for given in (path, *signatures, *keys):
            refuse_source(file, given)
    signatory = signatory_of(rules)
    access = rules["access"]
    if policy_file is not None and are_rules(Path(policy_file)):
        policy_file, access = None, one_file(access, policy_file)
    allow = enforcer(access, rules["role"], rules["log"], "verify", path)
    from mithridate.flows.sign import verify_path
    from mithridate.reports.write import write_report
    from mithridate.supply.sealing.envelope import label_of
    from mithridate.supply.signing.policy import read_policy

    allow(*label_of(Path(path)))
    policy = None if policy_file is None else read_policy(policy_file)
    report = verify_path(path, signatures, trusted(keys), policy=policy, signatory=signatory, command=command_line())
    for file in output:
        write_report(report, file)
    if not quiet:
        print_claims(report, "everything holds: " + "; ".join(map(str, report.target.extra["signed_by"])))  # type: ignore[arg-type]
    raise click.exceptions.Exit(1 if report.findings else 0)
