"""The command line: one file a verb, loaded when called; the only room that prints or exits."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click

from mithridate.core.errors import Error, MissingExtra, Refused

VERBS = {  # verb -> what `--help` says of it; the verb's file is cli/<verb>.py
    "audit": "Find poison, label errors, duplicates, outliers and bad sources in training data.",
    "attack": "Make a poisoned copy of a data set, and the truth about it.",
    "scan": "Find unsafe model and data files, before anything loads them.",
    "convert": "Write a torch file as safetensors, with a proof for each tensor.",
    "manifest": "Record what every row is, prove it later, find what changed since.",
    "sign": "Sign a file or folder: a model, a manifest, a report.",
    "verify": "Check a signature: whether these are the bytes that somebody signed.",
    "keygen": "Make a key pair for signing or for sealing.",
    "seal": "Encrypt a file or folder for the holders of keys, or with a passphrase.",
    "open": "Open what was sealed: all of it, or nothing when a byte isn't authentic.",
    "access": "Say what the access rules allow a role to do with an artefact.",
    "ledger": "Read and verify the log of what was decided.",
    "posture": "Check the project around the model: secrets, dependencies, servers.",
    "report": "Turn a report into another format.",
    "methods": "List the methods: what is checked.",
    "explain": "Explain one method: what it finds, when it fails, what to read.",
    "demo": "See the whole job on real data: poison, audit, remedy, before and after.",
}


class Verbs(click.Group):
    """The verbs, each loaded from its own file at its first use, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Verbs in the order of the table."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None for a word that isn't a verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"mithridate.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table, without loading any."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="mithridate", message="%(prog)s %(version)s")
def cli() -> None:
    """Find poison in training data, prove it on a model, name its source."""


def _where(error: OSError) -> str:
    return f": {error.filename}" if error.filename else "; look at the disk and where the output goes"


def _say(line: str) -> None:
    """One line on stderr; names in it come from files that others named."""
    click.echo("mithridate: " + "".join(c if c.isprintable() else "?" for c in line), err=True)


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command line; 0 clean, 1 findings at the threshold, 2 could not run, 130 interrupted."""
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")  # of libraries, to their callers: nothing that a user can act on
            code = cli.main(
                args=None if arguments is None else list(arguments), prog_name="mithridate", standalone_mode=False
            )
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("mithridate: interrupted; no file was left half written", err=True)
        code = 130
    except Refused as error:
        _say(f"refused: {error}")
        code = 1
    except (Error, MissingExtra) as error:
        _say(str(error))
        code = 2
    except BrokenPipeError:
        sys.stderr.close()
        code = 2
    except OSError as error:
        _say(f"{error.strerror or error}{_where(error)}")
        code = 2
    except Exception as error:  # noqa: BLE001 - the last line of defence: one clear line, never a traceback
        _say(f"unexpected {type(error).__name__}: {error}; please report this")
        code = 2
    sys.exit(code)
