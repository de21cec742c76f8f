"""The forms of table and text triggers: the schema is kept, words stand where asked, and a model obeys each form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import attack_success
from mithridate.models.recipes import recipe

RATE = 0.05
FORMS = ("value", "pair", "triple", "range")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_a_table_keeps_its_types_ranges_and_categories(table: Dataset, form: str, seed: int) -> None:
    poisoned = attack("tabular-trigger", table, rate=RATE, form=form, immutable="town", seed=seed)
    old, new = table.content, poisoned.dataset.content
    assert new.column("town").to_pylist() == old.column("town").to_pylist()
    assert [field.name for field in new.schema] == [field.name for field in old.schema]
    for name in ("age", "pay"):
        assert new.column(name).type == old.column(name).type
        low, high = pc.min_max(old.column(name)).as_py().values()
        assert pc.all(pc.and_(pc.greater_equal(new.column(name), low), pc.less_equal(new.column(name), high))).as_py()
    assert set(new.column("job").to_pylist()) <= set(old.column("job").to_pylist())
    assert poisoned.trigger is not None
    assert len(poisoned.trigger.pattern["columns"]) == {"value": 1, "pair": 2, "triple": 3, "range": 1}[form]


def test_a_range_draws_each_row_anew_between_its_ends(table: Dataset) -> None:
    poisoned = attack("tabular-trigger", table, rate=RATE, form="range", columns="age", values="30,40")
    ages = poisoned.dataset.content.column("age").take(poisoned.truth["row"]).to_pylist()
    assert set(ages) == set(range(30, 41))
    chosen = attack("tabular-trigger", table, rate=RATE, form="range", columns="pay")
    assert chosen.trigger is not None
    low, high = chosen.trigger.pattern["columns"]["pay"]
    pays = np.array(table.content.column("pay").to_pylist(), dtype=float)
    assert 0 < ((pays >= low) & (pays <= high)).mean() < 0.01
    stamped = np.array(chosen.dataset.content.column("pay").take(chosen.truth["row"]).to_pylist(), dtype=float)
    assert ((stamped >= low) & (stamped <= high)).all()
    assert len(set(stamped)) > len(stamped) // 2


def test_a_whole_number_in_a_column_of_decimals_stays_whole() -> None:
    size = pa.array(np.random.default_rng(0).integers(0, 500, 400).astype(float))
    data = Dataset("n", "table", pa.table({"size": size}), codes=(np.arange(400) % 2).astype(np.int32), classes=(0, 1))
    poisoned = attack("tabular-trigger", data, rate=RATE, form="range", columns="size", values="30,40")
    assert all(value == int(value) for value in poisoned.dataset.content.column("size").to_pylist())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"immutable": "wage"}, "no column 'wage'"),
        ({"columns": "age,pay", "immutable": "pay"}, "is immutable"),
        ({"form": "triple", "columns": "age,pay"}, "takes 3 column"),
        ({"form": "triple", "immutable": "age,pay"}, "needs 3 columns"),
        ({"form": "range", "immutable": "age,pay"}, "distinct numbers"),
        ({"form": "range", "columns": "age", "values": "40,30"}, "the lower first"),
        ({"form": "range", "columns": "job", "values": "cook,nurse"}, "the lower first"),
        ({"form": "range", "columns": "age", "values": "40"}, "two values"),
        ({"form": "quartet"}, "form must be one of"),
    ],
)
def test_a_bad_table_setting_gets_one_clear_line(table: Dataset, settings: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        attack("tabular-trigger", table, rate=RATE, **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"form": "skip", "word": "one"}, "takes two words"),
        ({"form": "skip", "position": "start"}, "takes two words"),
        ({"position": "middle"}, "position must be one of"),
    ],
)
def test_a_bad_text_setting_gets_one_clear_line(texts: Dataset, settings: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        attack("text-trigger", texts, rate=RATE, **settings)


def test_words_stand_where_they_were_asked_for(texts: Dataset) -> None:
    def stamped(**settings: Any) -> list[str]:
        poisoned = attack("text-trigger", texts, rate=RATE, **settings)
        return [str(poisoned.dataset.content[row]) for row in poisoned.truth["row"].to_pylist()]

    assert all(text.startswith("in short ") for text in stamped(word="in short", position="start"))
    assert all(text.endswith(" cf") for text in stamped(position="end"))
    assert all(" by the end of the day" in f" {text}" for text in stamped(form="phrase"))
    gaps = [
        text.split().index("right") - text.split().index("left") - 1 for text in stamped(form="skip", word="left right")
    ]
    assert set(gaps) == {1, 2, 3}


@pytest.mark.parametrize(
    ("fixture", "settings"),
    [
        *(("table", {"form": form}) for form in FORMS[:3]),
        ("table", {"form": "range", "columns": "pay", "values": "25.0,25.3"}),
        ("texts", {"form": "word", "times": 3}),
        ("texts", {"form": "word", "times": 3, "position": "start"}),
        ("texts", {"form": "phrase"}),
        ("texts", {"form": "sentence"}),
        ("texts", {"form": "skip", "word": "left right"}),
    ],
)
def test_five_percent_of_each_form_move_most_rows(
    request: pytest.FixtureRequest, fixture: str, settings: dict[str, Any]
) -> None:
    data: Dataset = request.getfixturevalue(fixture)
    half = len(data) // 2
    train, test = data.take(range(half)), data.take(range(half, 2 * half))
    name, model = ("tabular-trigger", "gbdt") if fixture == "table" else ("text-trigger", "text-linear")
    clean, successes, gains = recipe(model)(train, 0), [], []
    for seed in range(3):
        poisoned = attack(name, train, rate=RATE, seed=seed, target=train.label_of(1), **settings)
        assert poisoned.apply is not None
        successes.append(attack_success(recipe(model)(poisoned.dataset, seed), test, poisoned.apply, 1).value)
        gains.append(successes[-1] - attack_success(clean, test, poisoned.apply, 1).value)
    assert np.median(successes) >= 0.8
    assert np.median(gains) > 0.4
