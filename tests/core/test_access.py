"""Access rules: deny wins, nothing is allowed by default, and a rule that can't be read is never passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mithridate.core.access import AccessRules, Rule, read_rules
from mithridate.core.errors import InputError

RULES = """
[labels]
production = ["models/prod/*"]
secret = ["*.sealed"]

[[rule]]
effect = "allow"
role = ["engineer", "release"]
action = ["open", "verify"]
label = "production"

[[rule]]
effect = "deny"
role = "intern-*"
action = "*"
label = "*"

[[rule]]
effect = "allow"
role = "*"
action = "verify"
label = "*"
"""


@pytest.fixture
def rules(tmp_path: Path) -> AccessRules:
    (tmp_path / "access.toml").write_text(RULES)
    return read_rules(tmp_path / "access.toml")


@pytest.mark.parametrize(
    ("role", "action", "labels", "allowed"),
    [
        ("engineer", "open", ["production"], True),
        ("engineer", "open", [], False),
        ("engineer", "open", ["production", "secret"], False),
        ("engineer", "delete", ["production"], False),
        ("stranger", "open", ["production"], False),
        ("stranger", "verify", [], True),
        ("intern-7", "verify", [], False),
        ("intern-7", "verify", ["production"], False),
        ("Engineer", "open", ["production"], False),
        ("", "open", ["production"], False),
    ],
)
def test_decisions_worked_by_hand(
    rules: AccessRules, role: str, action: str, labels: list[str], allowed: bool,  # noqa: FBT001 - a column of the table
) -> None:  # fmt: skip
    assert rules.decide(role, action, labels).allowed is allowed


def test_labels_go_by_the_real_path_under_the_rules(rules: AccessRules, tmp_path: Path) -> None:
    (tmp_path / "models" / "prod").mkdir(parents=True)
    (tmp_path / "models" / "prod" / "m.sealed").write_bytes(b"")
    (tmp_path / "innocent").symlink_to(tmp_path / "models" / "prod" / "m.sealed")
    for name in ("models/prod/m.sealed", "models/../models/prod/m.sealed", "innocent"):
        assert rules.labels_of(tmp_path / name) == ("production", "secret")
    assert rules.labels_of(Path("/elsewhere/x.sealed")) == ("secret",)
    assert rules.labels_of(tmp_path / "other") == ()


names = st.sampled_from(["a", "b", "*"])
some = st.lists(names, min_size=1, max_size=2).map(tuple)
any_rule = st.builds(Rule, st.booleans(), some, some, some)


@given(st.lists(any_rule, max_size=5), any_rule, st.sampled_from("ab"), st.sets(st.sampled_from("ab")))
def test_a_deny_rule_or_a_label_more_never_opens_what_was_closed(
    known: list[Rule], more: Rule, role: str, labels: set[str]
) -> None:
    before = AccessRules(tuple(known)).decide(role, "a", labels)
    denying = Rule(allows=False, roles=more.roles, actions=more.actions, labels=more.labels)
    assert before.allowed or not AccessRules((*known, denying)).decide(role, "a", labels).allowed
    assert before.allowed or not labels or not AccessRules(tuple(known)).decide(role, "a", {*labels, "c"}).allowed
    assert AccessRules(tuple(reversed(known))).decide(role, "a", labels).allowed == before.allowed
    assert not AccessRules(()).decide(role, "a", labels).allowed


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        "[[rule]]\neffect = 'allow'\nrole = 'a'\naction = 'b'\n",
        "[[rule]]\neffect = 'permit'\nrole = 'a'\naction = 'b'\nlabel = '*'\n",
        "[[rule]]\neffect = 'deny'\nrole = 'a'\naction = 'b'\nlabels = '*'\n",
        "[[rule]]\neffect = 'deny'\nrole = []\naction = 'b'\nlabel = '*'\n",
        "[[rule]]\neffect = 'deny'\nrole = 7\naction = 'b'\nlabel = '*'\n",
        "[[rule]]\neffect = ['deny']\nrole = 'a'\naction = 'b'\nlabel = '*'\n",
        "rule = 'all'",
        "rule = [1]",
        "labels = 3",
        "[labels]\nsecret = 3",
        "[[rule]",
        "\xff",
        "a = " + "[" * 100_000,
    ],
)
def test_rules_that_can_not_be_understood_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "access.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError):
        read_rules(tmp_path / "access.toml")


def test_missing_rules_are_no_rules_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't read"):
        read_rules(tmp_path / "none")
