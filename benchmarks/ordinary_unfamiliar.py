"""Ordinary files of kinds that were thought of after the scanner was written: tables, records, settings, notebooks."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from typing import Any


def _masked_crc(raw: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in raw:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _record(body: bytes) -> bytes:
    length = struct.pack("<Q", len(body))
    return length + struct.pack("<I", _masked_crc(length)) + body + struct.pack("<I", _masked_crc(body))


def _notebook(*cells: tuple[str, str, dict[str, str]]) -> bytes:
    made = [
        {
            "cell_type": kind,
            "metadata": {},
            "source": source,
            "outputs": [{"data": data, "metadata": {}}] if data else [],
        }
        for kind, source, data in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def _wheel() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("pkg/__init__.py", "x = 1\n")
        archive.writestr("pkg-1.0.dist-info/METADATA", "Name: pkg\n")
    return made.getvalue()


_TABLE = "id,name,delta,phone,mail,note\n"
_ROWS = (
    "1,Ann,-3.5,+49 170 123456,a@b.example,fine", "2,Bob,-1,+1 (202) 555-0100,@bob,- bullet", "3,C,-$5,+441,=,-",
    "4,D,-inf,+0,x,==> see", "5,E,-5%,+,@everyone hi,+1 agree", '6,F,0,0,x,"=) lol"', "7,G,0,0,=\\frac{1}{2},-x^2",
)  # fmt: skip
_SETTINGS = {
    "MLmodel": "flavors:\n  python_function:\n    env: conda.yaml\n    loader_module: mlflow.sklearn\n",
    "dvc.yaml": "stages:\n  train:\n    cmd: python train.py && echo done\n    outs:\n    - model.pkl\n",
    "compose.yml": "x: &x\n  image: a\nservices:\n  a: {<<: *x}\n  b: {<<: *x}\n  c: [*x, *x, *x]\n",
    "formation.yml": "R:\n  B:\n    P:\n      A: !Sub '${S}-b'\n      C: !GetAtt A.Arn\n      D: !Ref E\n",
    "hydra.yaml": "model:\n  _target_: torchvision.models.vgg11\noptim:\n  _target_: torch.optim.AdamW\n",
    "diffusion.yaml": "model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n  params: {a: 1}\n",
    "conda.yaml": "channels: [conda-forge]\ndependencies:\n- python=3.11\n- pip:\n  - git+https://example.org/x.git@main\n",
    "config.cfg": '[nlp]\nlang = "en"\ntokenizer = {"@tokenizers":"spacy.Tokenizer.v1"}\n',
    "labels.pbtxt": 'item {\n id: 1\n name: "a"\n}\n',
    "model_index.json": '{"_class_name": "P", "_diffusers_version": "0.3", "u": ["diffusers", "U"], "s": [null, null]}',
    "modules.json": '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]',
    "graph.graphml": '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph/></graphml>',
    "model.pmml": '<?xml version="1.0"?><PMML version="4.4"><Header><Timestamp>2024</Timestamp></Header></PMML>',
    "train.py": "import subprocess\nimport sys\nsubprocess.run([sys.executable, '-m', 'x'])\nmodel.eval()\n",
}
_TOGGLE = '<script>function toggle(){$("div.input").hide()}</script><a href="javascript:toggle()">here</a>'


def unfamiliar(make: Any) -> None:
    """`make` is the `Maker` of `ordinary_files`."""
    bodies = {f"text-{name}": text.encode() for name, text in _SETTINGS.items()}
    bodies |= {f"text-odd{n}.csv": (_TABLE + f"{row}\n" * 5).encode() for n, row in enumerate(_ROWS)}
    bodies |= {
        "text-wide.csv": "a,b\n\uff1d\u898b\u51fa\u3057\uff1d,\uff0b3\n".encode(),
        "text-toggle.ipynb": _notebook(("code", "HTML(toggle)", {"text/html": _TOGGLE})),
        "text-scroll.ipynb": _notebook(("code", "%%javascript\nIPython.OutputArea.auto_scroll_threshold = 9", {})),
        "text-video.ipynb": _notebook(("code", "v", {"text/html": "<iframe src='https://www.youtube.com/embed/x'>"})),
        "records.tfrecord": b"".join(_record(b"\x0a\x03abc" + bytes([n])) for n in range(9)),
        "words.bin": b"2 2\nthe " + struct.pack("<2f", 1, 2) + b"\nof " + struct.pack("<2f", 3, 4) + b"\n",
        "picture.ppm": b"P6\n8 8\n255\n" + bytes(range(192)),
        "picture.tga": b"\x00\x00\x02" + bytes(range(60)) + bytes(8) + b"TRUEVISION-XFILE.\0",
        "picture.bmp": b"BM" + struct.pack("<I", 246) + bytes(range(240)),
        "rows.dta": b"\x72\x02\x01\x00" + bytes(range(200)),
        "rows.avro": b'Obj\x01\x02\x16avro.schema\x80\x02{"type": "string"}\x00' + bytes(16),
        "folder.DS_Store": b"\0\0\0\1Bud1" + bytes(4000),
        "two.csv.gz": gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"),
        "pkg-1.0-py3-none-any.whl": _wheel(),
    }
    for name, body in bodies.items():
        make.write(name, lambda path, b=body: path.write_bytes(b))
