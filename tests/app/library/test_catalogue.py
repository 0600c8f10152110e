from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mlx_music import GenerationRequest
from mlx_music_app.library.catalogue import Catalogue
from mlx_music_app.library.rows import NewTake

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
FOLDER = Path("/music")


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "library.sqlite3") as catalogue:
        yield catalogue


def new(uid: str, title: str = "Night", **fields: Any) -> NewTake:
    words = {name: fields.pop(name) for name in ("prompt", "lyrics") if name in fields}
    values: dict[str, Any] = {
        "number": 1,
        "created": START + timedelta(seconds=len(uid) + ord(uid[0])),
        "duration": 10.0,
        "sample_rate": 48_000,
        "request": GenerationRequest(**{"prompt": "folk", **words}),
        "model": "sketch",
        "path": FOLDER / f"{uid}.wav",
    }
    return NewTake(uid=uid, title=title, **{**values, **fields})


def test_a_take_comes_out_as_it_went_in(catalogue: Catalogue) -> None:
    request = GenerationRequest(
        prompt="folk", lyrics="ä\n夜", seed=3, lora=("a:0.5",), duration=7.5
    )
    take = catalogue.insert(
        new("a", request=request, tags=("x", "y"), notes="good", favourite=True, duration=7.5)
    )
    found = catalogue.get([take])[take]
    assert found.request == request
    assert (found.title, found.number, found.path) == ("Night", 1, FOLDER / "a.wav")
    assert (found.tags, found.notes, found.favourite) == (("x", "y"), "good", True)
    assert found.created == START + timedelta(seconds=98)
    assert found.created.tzinfo is not None
    assert (found.uid, found.missing, found.parent) == ("a", False, None)


def test_numbers_of_a_title_differ(catalogue: Catalogue) -> None:
    first, second = catalogue.insert(new("a")), catalogue.insert(new("b", title="NIGHT"))
    catalogue.change(second, title="Day")
    third = catalogue.insert(new("c", number=5))
    takes = catalogue.get([first, second, third])
    assert [(take.title, take.number) for take in takes.values()] == [
        ("Night", 1),
        ("Day", 1),
        ("Night", 5),
    ]
    catalogue.change(second, title="night ")
    assert catalogue.get([second])[second].number == 6
    catalogue.change(first, title="NIGHT")
    assert catalogue.get([first])[first].number == 1


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", "abc"),
        ("nig", "a"),
        ("disco", "b"),
        ("moon", "c"),
        ("sketch", "ab"),
        ("loud", "b"),
        ("late", "a"),
        ("night disco", ""),
        ("!?", ""),
    ],
)
def test_search_looks_everywhere(catalogue: Catalogue, search: str, found: str) -> None:
    catalogue.insert(new("a", title="Night", tags=("late", "x")))
    catalogue.insert(new("b", title="Day", prompt="disco", notes="loud"))
    catalogue.insert(new("c", title="Dusk", lyrics="the moon", model="other"))
    ids = catalogue.ids(search)
    assert {take.uid for take in catalogue.get(ids).values()} == set(found)


def test_search_follows_every_change(catalogue: Catalogue) -> None:
    take = catalogue.insert(new("a"))
    catalogue.change(take, title="Dawn")
    catalogue.change(take, notes="hello there")
    catalogue.change(take, tags=("red",))
    assert all(catalogue.ids(word) == [take] for word in ("dawn", "hello", "red", "folk"))
    assert catalogue.ids("night") == []
    catalogue.refresh(take, GenerationRequest(prompt="polka"), "other", 5.0, 44_100)
    assert catalogue.ids("folk") == []
    assert catalogue.ids("polka other") == [take]
    catalogue.forget([take])
    assert catalogue.ids("dawn") == []


def test_orders_and_filters(catalogue: Catalogue) -> None:
    a = catalogue.insert(new("a", title="b", duration=3.0, tags=("x",)))
    b = catalogue.insert(new("b", title="C", duration=1.0, favourite=True, model="Z"))
    c = catalogue.insert(new("c", title="A", duration=2.0, tags=("x", "Y"), model="a"))
    assert catalogue.ids() == [c, b, a]
    assert catalogue.ids(descending=False) == [a, b, c]
    assert catalogue.ids(sort="title", descending=False) == [c, a, b]
    assert catalogue.ids(sort="duration") == [a, c, b]
    assert catalogue.ids(sort="model", descending=False) == [c, a, b]
    assert catalogue.ids(sort="favourite") == [b, c, a]
    assert catalogue.ids(favourites=True) == [b]
    assert catalogue.ids(tag="x") == [c, a]
    assert catalogue.ids("a", tag="Y") == [c]
    assert catalogue.all_tags() == ["x", "Y"]
    with pytest.raises(ValueError, match="colour"):
        catalogue.ids(sort="colour")


def test_a_family_from_its_root(catalogue: Catalogue) -> None:
    root = catalogue.insert(new("a"))
    child = catalogue.insert(new("b", parent=root))
    other = catalogue.insert(new("c", parent=root))
    grandchild = catalogue.insert(new("d", parent=child))
    catalogue.insert(new("e"))
    for take in (root, child, other, grandchild):
        assert catalogue.family(take) == [root, child, other, grandchild]
    catalogue.trash([child], START)
    assert catalogue.family(grandchild) == [root, other, grandchild]


def test_parents_never_go_in_circles(catalogue: Catalogue) -> None:
    a, b, c = (catalogue.insert(new(uid)) for uid in "abc")
    assert catalogue.set_parent(b, a)
    assert catalogue.set_parent(c, b)
    assert not catalogue.set_parent(a, c)
    assert not catalogue.set_parent(a, a)
    assert not catalogue.set_parent(c, a)  # it has one
    assert catalogue.family(c) == [a, b, c]


def test_deleted_takes_are_gone_and_come_back_as_they_were(catalogue: Catalogue) -> None:
    take = catalogue.insert(new("a", tags=("x",), notes="n"))
    before = catalogue.get([take])[take]
    assert catalogue.trash([take, 99], START) == [take]
    assert catalogue.ids() == catalogue.ids("night") == catalogue.all_tags() == []
    assert catalogue.get([take]) == {}
    replacement = catalogue.insert(new("b", path=before.path))
    assert catalogue.get([replacement])[replacement].number == 2
    catalogue.restore([take])
    after = catalogue.get([take])[take]
    assert after.path.name == "a (2).wav"
    assert (after.title, after.tags, after.notes) == (before.title, before.tags, before.notes)


def test_the_journal_gets_what_changed_and_nothing_twice(catalogue: Catalogue) -> None:
    a = catalogue.insert(new("a", tags=("x",)))
    b = catalogue.insert(new("b", parent=a, path=Path("/else/b.wav")))
    entries, revisions = catalogue.unjournaled(FOLDER)
    assert [(e.uid, e.file, e.parent, e.tags) for e in entries] == [
        ("a", "a.wav", None, ("x",)),
        ("b", "/else/b.wav", "a", ()),
    ]
    catalogue.change(b, notes="meanwhile")
    catalogue.set_journaled(revisions)
    entries, revisions = catalogue.unjournaled(FOLDER)
    assert [(e.uid, e.notes) for e in entries] == [("b", "meanwhile")]
    catalogue.set_journaled(revisions)
    assert catalogue.unjournaled(FOLDER) == ([], {})
    catalogue.journal_anew()
    assert len(catalogue.unjournaled(FOLDER)[0]) == 2


def test_a_request_of_another_version_does_not_empty_the_list(catalogue: Catalogue) -> None:
    take = catalogue.insert(new("a"))
    catalogue.connection.execute(
        """UPDATE recipe SET request = '{"prompt": "folk", "flavour": "sweet"}'"""
    )
    assert catalogue.get([take])[take].request == GenerationRequest(prompt="folk")


def test_a_file_in_anothers_place_makes_that_one_missing(catalogue: Catalogue) -> None:
    first = catalogue.insert(new("a", notes="kept"))
    second = catalogue.insert(new("b", path=FOLDER / "a.wav"))
    third = catalogue.insert(new("c"))
    catalogue.move(third, FOLDER / "a.wav")
    takes = catalogue.get([first, second, third])
    assert [takes[t].missing for t in (first, second, third)] == [True, True, False]
    assert [takes[t].path.name for t in (first, second, third)] == [
        "a (2).wav",
        "a (3).wav",
        "a.wav",
    ]
    assert takes[first].notes == "kept"


def test_thousands_of_ids_are_no_problem(catalogue: Catalogue) -> None:
    assert catalogue.get(range(50_000)) == {}
