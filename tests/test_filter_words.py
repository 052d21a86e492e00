"""The index finds what a naive reading of the rules' words would find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.filter.fold import fold, spellings
from monitor.filter.words import Index, parse

LETTERS = "абві"
PLAIN = st.text(LETTERS, min_size=3, max_size=5)
WORD = st.tuples(PLAIN, st.sampled_from(["", "~", "*"])).map("".join)
WANTED = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
TEXT = st.lists(st.text(LETTERS + "-", min_size=1, max_size=6), max_size=12)


def found(wanted: list[str], text: str) -> set[str]:
    """Return which of the *wanted* words the index finds in *text*."""
    index: Index[str] = Index()
    for word in wanted:
        index.add(parse(word), word)
    words = index.cut(text)
    return {hit.term for hit in index.find(words)} if words else set()


def stands(word: str, tokens: list[bytes]) -> bool:
    """Whether *word* stands somewhere in *tokens*, tried at every position."""
    phrase = parse(word)
    return any(
        all(part.takes(token) for part, token in zip(phrase, tokens[i:], strict=False))
        for i in range(len(tokens) - len(phrase) + 1)
    )


@given(st.lists(WANTED, max_size=6), TEXT.map(lambda t: " ".join(t).replace("-", "")))
def test_index_is_naive_evaluation(wanted: list[str], text: str) -> None:
    """Whatever is wanted, one look-up a word finds what trying all of it does."""
    tokens = fold(text).split()

    assert found(wanted, text) == {word for word in wanted if stands(word, tokens)}


@given(st.lists(WANTED, max_size=4), TEXT.map(" ".join))
def test_what_was_learned_changes_nothing(wanted: list[str], text: str) -> None:
    """A text read twice, or after others, says the same."""
    index: Index[str] = Index()
    for word in wanted:
        index.add(parse(word), word)
    first = index.cut(text)
    second = index.cut(text)

    assert (first and index.find(first)) == (second and index.find(second))


@given(st.lists(WANTED, min_size=1, max_size=4), TEXT.map(" ".join))
def test_spans_point_at_what_was_found(wanted: list[str], text: str) -> None:
    """Where a hit points, the text has words that the phrase takes."""
    index: Index[str] = Index()
    for word in wanted:
        index.add(parse(word), word)
    words = index.cut(text)
    for hit in index.find(words) if words else []:
        assert words is not None
        pieces = [text[slice(*span)] for span in words.spans[hit.first : hit.last + 1]]
        phrase = parse(hit.term)

        assert all(
            part.takes(fold(piece)) for part, piece in zip(phrase, pieces, strict=True)
        )


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        ("дрг", "В лесу ДРГ.", True),
        ("дрг", "драгоценный", False),
        ("эвакуация~", "об эвакуации жителей", True),
        ("обстрел*", "село обстреляли", True),
        ("обстрел", "село обстреляли", False),
        ('"режим~ ракетн* опасност*"', "введён режим ракетной опасности", True),
        ("режим~ опасност*", "режим ракетной опасности", False),
        ("учения~", "В ходе учений", True),
        ("х-59", "ракета Х-59", True),
        ("дрон", "дрон-камикадзе", True),
        ("белгород", "Белгород-Шебекино", True),
        ("attack~", "attacked twice", True),
        ("тpeвoгa", "ТРЕВОГА", True),
    ],
)
def test_the_syntax_of_words(word: str, text: str, *, expected: bool) -> None:
    """Exact, inflected, begun and several words mean what the syntax says."""
    assert (found([word], text) == {word}) == expected


@pytest.mark.parametrize("word", ["", "«»", "а*", "~", "*", "~дрон", "др*н", "дрон*~"])
def test_miswritten_words_are_refused(word: str) -> None:
    """A word that could never match, or matches nearly all, is a mistake."""
    with pytest.raises(ValueError, match=r"letters|stand|needs"):
        parse(word)


def test_a_compound_name_is_not_cut() -> None:
    """A hyphenated word that is known as a whole is not looked up by its halves."""
    assert found(["гора-подол", "подол"], "Гора-Подол") == {"гора-подол"}


def test_terms_may_be_added_later() -> None:
    """What was dull yesterday is found once somebody asks for it."""
    index: Index[str] = Index()
    index.add(parse("дрг"), "дрг")
    before = index.cut("эвакуация")
    index.add(parse("эвакуация"), "эвакуация")
    after = index.cut("эвакуация")

    assert before is None
    assert after is not None
    assert [hit.term for hit in index.find(after)] == ["эвакуация"]


def test_an_endless_word_is_no_word() -> None:
    """Nothing is remembered of a word longer than any name."""
    index: Index[str] = Index()
    index.add(parse("дрг*"), "дрг")

    assert index.cut("дрг" * 1000) is None
    assert spellings(fold("а" * 1000)) == ()
