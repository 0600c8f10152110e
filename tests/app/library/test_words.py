from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_music_app.library.words import indexed, query


def index(*texts: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE words USING fts5(text, tokenize='unicode61 remove_diacritics 2')"
    )
    connection.executemany("INSERT INTO words VALUES (?)", [(indexed(text),) for text in texts])
    return connection


def found(connection: sqlite3.Connection, typed: str) -> bool:
    rows = connection.execute("SELECT 1 FROM words WHERE words MATCH ?", (query(typed),))
    return bool(rows.fetchall())


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Night drive", "nig"),
        ("Night drive", "dri nig"),
        ("Café del mar", "cafe"),
        ("lo-fi beats", "lo-fi"),
        ("don't stop", "don't"),
        ("夜に駆ける", "駆け"),
        ("我爱音乐", "音乐"),
        ("안녕 세상", "세"),
        ("the long road", '"long road"'),
        ("AND OR NOT", "and or"),
    ],
)
def test_words_are_found_by_their_beginnings(text: str, typed: str) -> None:
    assert found(index(text), typed)


@pytest.mark.parametrize(
    ("text", "typed"),
    [("Night drive", "ight"), ("Night drive", "night x"), ("a road, long", '"long road"')],
)
def test_other_words_are_not(text: str, typed: str) -> None:
    assert not found(index(text), typed)


@given(st.text(max_size=40))
def test_nothing_that_can_be_typed_is_an_error(typed: str) -> None:
    if query(typed):
        found(index("anything"), typed)
