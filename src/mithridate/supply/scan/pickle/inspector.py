"""Effects weighed: each import and call of a stream becomes an issue, or is known to be inert."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mithridate.core.findings import Json, Severity
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.pickle.arrays import class_of
from mithridate.supply.scan.pickle.bombs import bomb
from mithridate.supply.scan.pickle.code_told import told
from mithridate.supply.scan.pickle.explain import arguments_shown, clipped, shown
from mithridate.supply.scan.pickle.forged import (
    CARRIERS,
    LOADER,
    forged_type,
    hands_on,
    has_raw_objects,
    takes_memory,
)
from mithridate.supply.scan.pickle.handed import handed, method_for, own_methods, partial_of
from mithridate.supply.scan.pickle.reach import is_known, reach
from mithridate.supply.scan.pickle.rebuilders import is_data, rebuilds
from mithridate.supply.scan.pickle.recorder import Effect
from mithridate.supply.scan.pickle.references import only_computes
from mithridate.supply.scan.pickle.special import array_given, called_within, judged, rebuilt, resolved
from mithridate.supply.scan.pickle.table import CAPABILITIES
from mithridate.supply.scan.pickle.values import Call, Global, Tuple, Value, items_of
from mithridate.supply.scan.pickle.verdict import Verdict, judge

KEPT_CALLS = 10_000
KEPT_ISSUES = 200
_REACH = set("/\\:(;\n")
_FILE_NAME = re.compile(r"\.[A-Za-z]\w{0,9}\Z")
_LOOKED_AT, _DEPTH = 256, 4  # items and levels of the arguments of a constructor
_EXCEPTIONS = ("Error", "Exception", "Warning")  # their messages are sentences
_CLAIM = 160  # characters of arguments in a sentence; the facts have more
_NEEDS_A_PLACE = {"network", "file"}
_RUNS = {"exec", "import", "load", "native"}
_REMEDY = "Don't load this file; ask its author for safetensors, ONNX, or another format that holds data alone."
_REMEDY_CLASS = "Load it only where its author is trusted, or ask for its weights alone (a state dict, safetensors)."


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that loading would do: `import`, `call`, `new`, `build`, ...; the dotted name; what it is given."""

    kind: str
    name: str
    offset: int
    arguments: str = ""


@dataclass(slots=True)
class Inspector:
    """Takes effects one by one; `issues()` says what they amount to.

    follow : called with the path and the arguments of a call that loads what it is given; whether all of it was read,
        None where these bytes aren't known.
    """

    follow: Callable[[str, Value, int], bool | None]
    steps: list[Step] = field(default_factory=list)
    _found: dict[tuple[str, str], tuple[Issue, int]] = field(default_factory=dict)
    _imported: dict[str, tuple[Global, int]] = field(default_factory=dict)
    _called: set[str] = field(default_factory=set)
    _methods: dict[int, tuple[Call, dict[str, Value]]] = field(default_factory=dict)

    def tell(self, effect: Effect) -> None:
        """Weigh one effect."""
        if len(self.steps) < KEPT_CALLS:
            self.steps.append(_step(effect))
        kind = effect.kind
        if kind in {"call", "new", "build"}:
            self._forged(effect)
        if kind == "import":
            self._imported.setdefault(effect.subject.path, (effect.subject, effect.offset))
        elif kind == "call" or (kind == "new" and effect.or_call and _may_be_function(effect.subject)):
            self._call(effect, effect.subject, effect.payload)
        elif kind == "new":
            self._new(effect, effect.subject)
            if isinstance(effect.subject, Global) and judge(effect.subject.module, effect.subject.name).kind == "inert":
                self._uses(effect, effect.subject, effect.payload)
        elif kind in {"build", "extend", "set", "add"}:
            self._change(effect)
        elif kind == "extension":
            claim = f"uses the extension code {effect.payload}: what it imports stands in the loader's own registry"
            self._add(Issue("pickle-extension", Severity.HIGH, claim, _place(effect), {}, _REMEDY), str(effect.payload))

    def issues(self) -> list[Issue]:
        """What was found, gravest first; imports that are never called stand at the end of their rank."""
        for path, (found, offset) in self._imported.items():
            if path not in self._called:
                self._reference(found, offset)
        told = [_counted(issue, count) for issue, count in self._found.values()]
        return sorted(told, key=lambda issue: -issue.severity)

    def _forged(self, effect: Effect) -> None:
        """Memory taken for objects, and a loader handed on to be called where its bytes aren't seen."""
        subject, given = effect.subject, effect.payload
        if effect.kind == "call" and (held := array_given(subject, given)) is not None:
            self._forged(Effect("build", effect.offset, *held))
        keywords = effect.result.keywords if isinstance(effect.result, Call) else None
        is_memory = effect.kind != "build" and takes_memory(subject, given, keywords)
        if is_memory or (effect.kind == "build" and has_raw_objects(subject, given)):
            claim = "makes an array over given memory, as no pickler does: pointers to objects can be forged in it"
            self._add(Issue("pickle-native", Severity.HIGH, claim, _place(effect), {}, _REMEDY), "memory")
        if effect.kind == "build" and (why := forged_type(subject, given)):
            claim = f"gives a numpy dtype {why}, as no pickler does: arrays of it read or free foreign memory"
            self._add(Issue("pickle-native", Severity.HIGH, claim, _place(effect), {}, _REMEDY), why)
        if not self._imported.keys() & CARRIERS:
            return
        function = subject.function if effect.kind == "build" and isinstance(subject, Call) else subject
        path = hands_on(function, given) or hands_on(function, keywords)
        if path:
            claim = f"hands {path} on, to be called with what isn't seen here"
            self._add(Issue("pickle-load", Severity.HIGH, claim, _place(effect), {}, _REMEDY), path)

    def _call(self, effect: Effect, function: Value, arguments: Value) -> None:
        """A call by REDUCE; calls that call what they are given are followed through, one after another."""
        keywords: tuple[Value, ...] = ()
        deferred = False
        for _ in range(16):
            if isinstance(function, Call) and function.alias is not None:
                function = function.alias
            if isinstance(function, Call):
                inner = partial_of(function)
                if inner is None:
                    break
                function, deferred = inner.function, True
                arguments = Tuple((*inner.arguments, *items_of(arguments)))
                keywords = (*inner.keywords, *keywords)
                continue
            if not isinstance(function, Global):
                break
            given = called_within(function, arguments)
            self._judge_call(effect, function, arguments)
            self._uses(effect, function, arguments, keywords, deferred=deferred)
            if given is None:
                return
            function, arguments = given
        claim = f"calls what {shown(function)} gives, with {arguments_shown(arguments)}"
        self._add(Issue("pickle-unknown-call", Severity.HIGH, claim, _place(effect), {}, _REMEDY), claim)

    def _uses(
        self,
        effect: Effect,
        function: Global,
        arguments: Value,
        keywords: tuple[Value, ...] = (),
        *,
        deferred: bool = False,
    ) -> None:
        """What a call does with harmless things: functions that it is given to call, memory and time without end."""
        found = handed(function, (*items_of(arguments), *keywords), deferred=deferred)
        if found is not None:
            self._called.add(found.path)
            claim = f"hands {found.path}, which is on no list, to {function.path}, which can call it"
            facts: dict[str, Json] = {"callable": found.path, "by": function.path}
            self._add(Issue("pickle-unknown-call", Severity.HIGH, claim, _place(effect), facts, _REMEDY), found.path)
        if why := bomb(function.path, arguments):
            severity = Severity.MEDIUM if "pattern" in why else Severity.HIGH
            claim = f"calls {function.path}{arguments_shown(arguments, _CLAIM)}, which {why}"
            self._add(Issue("pickle-bomb", severity, claim, _place(effect), {"callable": function.path}, _REMEDY), why)

    def _judge_call(self, effect: Effect, function: Global, arguments: Value) -> None:
        path = function.path
        self._called.add(path)
        cls = rebuilt(function, arguments)
        if cls is not None:
            self._new(effect, cls)
            return
        alias = resolved(function, arguments)
        if alias is not None and isinstance(effect.result, Call):
            effect.result.alias = alias
            self._imported.setdefault(alias.path, (alias, effect.offset))
            return
        verdict = judged(function, arguments) or judge(function.module, function.name)
        followed = self.follow(path, arguments, effect.offset)
        if path == LOADER and followed is None:
            verdict = Verdict("harmful", "library", "load")
        if verdict.kind == "unknown" and verdict.origin != "stdlib" and rebuilds(function, arguments):
            claim = f"rebuilds an object with {path}"
            facts: dict[str, Json] = {"callable": path, "arguments": arguments_shown(arguments), **_facts(verdict)}
            self._add(Issue("pickle-class", Severity.LOW, claim, _place(effect), facts, _REMEDY_CLASS), path)
            return
        if verdict.kind in {"class", "unknown"} and verdict.origin != "stdlib" and not _is_member(verdict, arguments):
            capability = _reach_of_call(verdict, function, items_of(arguments))
            verdict = Verdict("harmful", verdict.origin, capability, by_family=True) if capability else verdict
        if verdict.kind != "inert":
            self._add(_called_issue(effect, function, verdict, arguments, followed=bool(followed)), path)

    def _new(self, effect: Effect, cls: Value) -> None:
        """An instance that `__new__` makes: its `__setstate__` runs, its `__init__` doesn't."""
        cls = cls.alias if isinstance(cls, Call) and cls.alias is not None else cls
        if not isinstance(cls, Global):
            claim = f"makes an instance of what {shown(cls)} gives"
            self._add(Issue("pickle-unknown-call", Severity.HIGH, claim, _place(effect), {}, _REMEDY), claim)
            return
        self._called.add(cls.path)
        verdict = judge(cls.module, cls.name)
        if verdict.kind == "harmful":
            is_mild = verdict.origin == "library" and verdict.capability not in _RUNS
            severity = Severity.LOW if is_mild else Severity.HIGH
            claim = f"makes an instance of {cls.path}, which {CAPABILITIES[verdict.capability]}"
            self._add(
                Issue(f"pickle-{verdict.capability}", severity, claim, _place(effect), _facts(verdict), _REMEDY),
                cls.path,
            )
        elif verdict.kind != "inert":
            claim = f"rebuilds an instance of {cls.path}"
            facts: dict[str, Json] = {"class": cls.path, "origin": verdict.origin}
            self._add(Issue("pickle-class", Severity.LOW, claim, _place(effect), facts, _REMEDY_CLASS), cls.path)

    def _change(self, effect: Effect) -> None:
        """A state or items for something imported, which others use too; and for what brings methods of its own."""
        subject = effect.subject
        if isinstance(subject, Call):
            _, own = self._methods.get(id(subject), (subject, {}))
            if method_for(effect.kind) in own:
                self._call(effect, own[method_for(effect.kind)], Tuple((effect.payload,)))
            if effect.kind == "build" and (more := own_methods(effect.payload)):
                self._methods[id(subject)] = (subject, {**own, **more})
            subject = subject.alias
        if subject is None:
            return
        claim = f"changes {subject.path} itself, which the whole process uses"
        facts: dict[str, Json] = {"change": clipped(shown(effect.payload)), "how": effect.kind}
        self._add(Issue("pickle-attribute", Severity.HIGH, claim, _place(effect), facts, _REMEDY), f"~{subject.path}")

    def _reference(self, found: Global, offset: int) -> None:
        """A name that is imported and not called: nothing of it runs but its module."""
        verdict = judge(found.module, found.name)
        place = f"offset {offset:,}"
        if only_computes(found.module, found.name):
            return
        if verdict.kind == "harmful":
            claim = f"imports {found.path}, which {CAPABILITIES[verdict.capability]}, without calling it here"
            self._add(
                Issue(f"pickle-{verdict.capability}", Severity.HIGH, claim, place, _facts(verdict), _REMEDY), found.path
            )
        elif verdict.kind != "inert":
            is_own = verdict.origin == "foreign" and not reach(found.module, found.name)
            is_ordinary = is_own or verdict.origin == "library" or verdict.kind == "class"
            severity = Severity.LOW if is_ordinary else Severity.MEDIUM
            claim = f"imports {found.path} without calling it"
            self._add(
                Issue("pickle-import-unknown", severity, claim, place, _facts(verdict), _REMEDY_CLASS), found.path
            )

    def _add(self, issue: Issue, key: str) -> None:
        """One issue for each pattern and name; the first of the gravest stands, the rest are counted."""
        first, count = self._found.get((issue.code, key), (issue, 0))
        first = issue if issue.severity > first.severity else first
        if count or len(self._found) < KEPT_ISSUES or issue.severity >= Severity.HIGH:
            self._found[issue.code, key] = (first, count + 1)


def _called_issue(effect: Effect, function: Global, verdict: Verdict, arguments: Value, *, followed: bool) -> Issue:
    """The issue of a call that isn't inert."""
    path = function.path
    known = told(path, arguments)
    given = "(...)" if "disassembly" in known else arguments_shown(arguments, _CLAIM)  # bytecode is for the facts
    facts: dict[str, Json] = {**_facts(verdict), "callable": path, "arguments": arguments_shown(arguments), **known}
    if verdict.kind == "harmful":
        runs = verdict.capability in _RUNS and not (verdict.capability == "load" and followed)
        severity = Severity.CRITICAL if runs and not verdict.by_family else Severity.HIGH
        judged_by = ", which, by its name," if verdict.by_family else ", which"
        claim = f"calls {path}{given}{judged_by} {CAPABILITIES[verdict.capability]}{_within(known)}"
        return Issue(f"pickle-{verdict.capability}", severity, claim, _place(effect), facts, _REMEDY)
    if verdict.kind == "class" and verdict.origin == "library" and not _is_reach(arguments):
        claim = f"makes an instance of {path}"
        return Issue("pickle-class", Severity.LOW, claim, _place(effect), facts, _REMEDY_CLASS)
    if verdict.kind == "class" and effect.subject == function and _is_plain(verdict, function, arguments):
        claim = f"makes an instance of {path} from plain values"
        return Issue("pickle-class", Severity.LOW, claim, _place(effect), facts, _REMEDY_CLASS)
    claim = f"calls {path}{given}, which is on no list"
    severity = Severity.HIGH
    return Issue("pickle-unknown-call", severity, claim, _place(effect), facts, _REMEDY)


def _within(known: Mapping[str, Json]) -> str:
    """What the code in the arguments says, for the sentence."""
    if known.get("decoded"):
        return f"; decoded, it reads {clipped(str(known['decoded']), _CLAIM)}"
    words = known.get("code")
    return (
        f"; the code names {clipped(', '.join(map(str, words)), _CLAIM)}" if isinstance(words, list) and words else ""
    )


def _may_be_function(subject: Value) -> bool:
    """Whether a name isn't known to be a class's: INST and OBJ call a function, where NEWOBJ refuses it."""
    named = subject.alias if isinstance(subject, Call) else subject
    return isinstance(named, Global) and judge(named.module, named.name).kind in {"unknown", "harmful"}


def _is_member(verdict: Verdict, arguments: Value) -> bool:
    """One whole number for a class of somebody's own package: how a member of an enumeration is stored."""
    items = items_of(arguments) if isinstance(arguments, Tuple) else ()
    return verdict.origin == "foreign" and len(items) == 1 and isinstance(items[0], int)


def _is_plain(verdict: Verdict, function: Global, arguments: Value) -> bool:
    """Numbers, single words and what holds them for a class of somebody's own: enumerations, exceptions, `__reduce__`.

    A command has a blank, a path or an address a separator; names of families that connect or run are judged before.
    """
    items = items_of(arguments) if isinstance(arguments, Tuple) else (arguments,)
    if verdict.origin == "foreign" and function.name.endswith(_EXCEPTIONS):
        return all(is_data(item) or isinstance(item, str) for item in items)
    is_bare = not any(isinstance(item, Global) for item in items)  # a class is given to what calls it
    return verdict.origin == "foreign" and is_bare and all(map(is_data, items))


def _reach_of_call(verdict: Verdict, function: Global, items: Sequence[Value]) -> str:
    """What a call reaches by its family; a class of somebody's own that is told no place goes to none by its name."""
    found = reach(function.module, function.name, items)
    is_told_nothing = verdict.origin == "foreign" and verdict.kind == "class" and not items
    return "" if is_told_nothing and found in _NEEDS_A_PLACE and not is_known(function.module) else found


def _is_reach(arguments: Value, depth: int = 0) -> bool:
    """Whether a constructor is given a path, an address or code, bare or in a list: what it does with it is unknown."""
    for item in items_of(arguments)[:_LOOKED_AT]:
        if isinstance(item, str | bytes):
            text = item if isinstance(item, str) else item.decode("latin-1") if item.isascii() else ""
            if set(text) & _REACH or _FILE_NAME.search(text):
                return True
        elif isinstance(item, Call) and isinstance(item.function, Global):
            if item.function.module.partition(".")[0] == "pathlib":
                return True
        elif depth < _DEPTH and _is_reach(item, depth + 1):
            return True
    return False


def _facts(verdict: Verdict) -> dict[str, Json]:
    return (
        {"capability": verdict.capability, "origin": verdict.origin}
        if verdict.capability
        else {"origin": verdict.origin}
    )


def _place(effect: Effect) -> str:
    return f"offset {effect.offset:,}"


def _counted(issue: Issue, count: int) -> Issue:
    if count == 1:
        return issue
    return Issue(issue.code, issue.severity, issue.claim, issue.place, {**issue.facts, "times": count}, issue.remedy)


def _step(effect: Effect) -> Step:
    """The effect for a reader; what is inert is common, and not worth its text."""
    subject = effect.subject
    named = class_of(subject) if isinstance(subject, Call) and effect.kind != "call" else subject
    name = named.path if isinstance(named, Global) else "" if subject is None else shown(subject)
    return Step(effect.kind, name, effect.offset)
