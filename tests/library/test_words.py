"""Words to windows: the matching of sentences, and the scoring of windows against a slow oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.data import audioset
from auricle.errors import QueryError
from auricle.library import codes, words
from auricle.library.words import Context, Query, Words

HOP = 0.48  # seconds
REACH = 8  # rows: 3.84 s


def a_query(*parts: int, known: float = 1.0) -> Query:
    weights = [known * np.exp(-np.arange(size, dtype=np.float32)) for size in parts]
    return Query(np.arange(sum(parts)), np.concatenate(weights), parts, known)


def slow_score(query: Query, heard: np.ndarray, starts: list[int]) -> np.ndarray:
    """The score as the module's docstring has it, row by row."""
    rows = heard.shape[1]
    amounts, first = [], 0
    for size in query.parts:
        own = slice(first, first + size)
        p = codes.SCORES[heard[own]].astype(float)
        evidence = np.sqrt(p) / (np.sqrt(p) + np.sqrt(1 - p))
        amount, around = query.weights[own] @ evidence, np.zeros(rows)
        for row in range(rows):
            start = max(s for s in starts if s <= row)
            end = min([s for s in starts if s > row], default=rows)
            near = amount[max(start, row - REACH) : min(end, row + REACH + 1)]
            around[row] = near.sum() / max(len(near), 3)
        amounts.append(np.sqrt(amount * around))
        first += size
    return 1 - 2 ** (-(np.prod(amounts, axis=0) ** (1 / len(amounts))) / words.AMOUNT)


@given(st.data())
def test_scores_equal_the_slow_oracle(data):
    rows = data.draw(st.integers(1, 60))
    starts = sorted({0, *data.draw(st.lists(st.integers(0, rows - 1), max_size=5))})
    query = a_query(*data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)), known=data.draw(st.floats(0.1, 1)))
    seed = data.draw(st.integers(0, 2**32 - 1))
    heard = np.random.default_rng(seed).integers(0, 256, (len(query.classes), rows), dtype=np.uint8)
    found = query.score(heard, Context(np.array(starts), rows, HOP))
    np.testing.assert_allclose(found, slow_score(query, heard, starts), atol=1e-5)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 255))
def test_scores_rise_with_every_code(seed, more):
    rng = np.random.default_rng(seed)
    query, context = a_query(3, 2), Context(np.array([0, 7]), 20, HOP)
    low = rng.integers(0, 256, (5, 20), dtype=np.uint8)
    high = low.copy()
    row, column = rng.integers(5), rng.integers(20)
    high[row, column] = min(255, int(low[row, column]) + more)
    assert (query.score(high, context) >= query.score(low, context) - 1e-6).all()
    assert (query.score(high) >= query.score(low) - 1e-6).all()


def test_blocks_leave_no_seam():
    rows = words._BLOCK + 100
    heard = np.random.default_rng(0).integers(0, 256, (2, rows), dtype=np.uint8)
    query, context = a_query(2), Context(np.array([0]), rows, HOP)
    cut = words._BLOCK - 50
    part = query.score(heard[:, cut:], Context(np.array([0]), rows - cut, HOP))
    np.testing.assert_allclose(query.score(heard, context)[cut + REACH :], part[REACH:], atol=1e-6)


def test_the_surroundings_stop_where_the_recording_does():
    heard = np.zeros((1, 20), np.uint8)
    heard[0, :10] = 255
    apart = a_query(1).score(heard, Context(np.array([0, 10]), 20, HOP))
    assert (apart[:10] > 0.8).all()
    assert (apart[10:] == 0).all()


def test_a_blip_scores_less_than_what_goes_on_and_a_short_recording_is_a_blip():
    context = Context(np.array([0, 17, 18]), 35, HOP)
    heard = np.zeros((1, 35), np.uint8)
    heard[0, 8] = heard[0, 17] = heard[0, 18:35] = 250
    blip, alone, long = a_query(1).score(heard, context)[[8, 17, 26]]
    assert blip < alone < long


def test_the_threshold_is_one_likely_class_of_a_known_query():
    heard = codes.encode(np.array([[0.02, 0.2, 0.9]], np.float32))
    rare, unlikely, likely = a_query(1).score(np.repeat(heard, 20, axis=1), None)[[0, 20, 40]]
    assert rare < 0.3
    assert unlikely < words.MIN_SCORE + 0.01
    assert likely > words.MIN_SCORE
    assert a_query(1, known=0.2).score(heard).max() < words.MIN_SCORE


def test_all_parts_must_be_heard():
    query = a_query(1, 1)
    one, other, both = query.score(np.array([[250, 0, 250], [0, 250, 250]], np.uint8))
    assert max(one, other) == 0
    assert both > 0.8


def test_a_query_that_means_nothing_scores_nothing():
    query = Query.of(np.full(5, 0.1, np.float32))
    assert not len(query.classes)
    assert query.known == 0
    assert (query.score(np.zeros((0, 4), np.uint8), Context(np.array([0]), 4, HOP)) == 0).all()


class Bag:
    """An encoder that knows words only: unit vectors of word counts."""

    VOCABULARY = tuple("dog bark barking animal rain water drops falling cat meow purring engine".split())  # noqa: SIM905

    def __call__(self, texts):
        vectors = np.array([[text.lower().split().count(word) for word in self.VOCABULARY] for text in texts], float)
        return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)).astype(np.float32)


SENTENCES = [["dog", "dog barking", "animal bark"], ["rain", "water drops falling"], ["cat", "animal meow"], ["engine"]]


@pytest.fixture
def matcher() -> Words:
    prepared = words.prepare(SENTENCES, Bag())
    return Words([len(group) for group in SENTENCES], **prepared, embed=Bag())


def test_fit_is_the_mean_of_best_and_average_less_crowding(matcher):
    embed, text = Bag(), "dog barking"
    for label, group in enumerate(SENTENCES):
        close = embed(group) @ embed([text])[0]
        foreign = np.concatenate([embed(other) for other in SENTENCES if other is not group])
        lying = foreign @ embed(group).T
        crowding = np.sort((lying.max(axis=1) + lying.mean(axis=1)) / 2)[::-1][: words.NEIGHBOURS]
        expected = (close.max() + close.mean()) / 2
        shortest = sum(map(len, SENTENCES)) - 3  # as many neighbours as every class has
        excess = words.CROWDING * crowding[:shortest].mean()
        mean = matcher.excess[label] - excess  # the mean over the classes, the same for all
        assert matcher.fit(text)[label] == pytest.approx(expected - excess - mean, abs=1e-6)
    assert matcher.excess.mean() == pytest.approx(0, abs=1e-7)


def test_queries_find_their_class(matcher):
    assert [int(matcher.query(text).classes[0]) for text in ("barking dog", "falling rain", "engine")] == [0, 1, 3]
    assert matcher.query("xyzzy").known == 0


def test_sentences_come_apart_where_both_halves_are_known(matcher):
    assert len(matcher.query("dog barking while rain").parts) == 2
    assert len(matcher.query("Dog AND Cat and engine").parts) == 3
    assert len(matcher.query("dog with rain in the background").parts) == 2
    assert len(matcher.query("dog with rain").parts) == 1
    assert len(matcher.query("dog and xyzzy").parts) == 1
    assert len(matcher.query("dog and barking dog").parts) == 1  # one class
    both = matcher.query("dog barking while rain")
    assert both.known == min(matcher.query("dog barking").known, matcher.query("rain").known)


def test_a_query_is_deterministic(matcher):
    first, again = matcher.query("animal barking"), matcher.query("animal barking")
    np.testing.assert_array_equal(first.classes, again.classes)
    np.testing.assert_array_equal(first.weights, again.weights)
    assert (np.diff(first.weights) <= 0).all()
    assert first.weights[0] == pytest.approx(first.known)


@pytest.fixture(scope="module")
def audioset_matcher() -> Words:
    return Words.for_classes(audioset.classes())


@pytest.mark.weights
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("carpenter cutting a plank by hand", "Sawing"),
        ("lion tamer cracking a whip", "Whip"),
        ("dairy herd mooing", "Moo"),
        ("hoovering the living room carpet", "Vacuum cleaner"),
        ("an infant crying for milk", "Baby cry, infant cry"),
        ("dog barking in the distance", "Bark"),
    ],
)
def test_sentences_find_their_class(audioset_matcher, text, label):
    query = audioset_matcher.query(text)
    assert label in [audioset.classes()[c] for c in query.classes[:2]]
    assert query.known > 0.5
    assert len(query.classes) == words.CLASSES


@pytest.mark.weights
@pytest.mark.parametrize("text", ["annual income statement", "proof of the triangle inequality"])
def test_what_is_no_sound_is_not_known(audioset_matcher, text):
    assert audioset_matcher.query(text).known < 0.1


@pytest.mark.weights
def test_two_sounds_are_two_parts(audioset_matcher):
    query = audioset_matcher.query("dog barking while it rains")
    assert [audioset.classes()[query.classes[i]] for i in (0, query.parts[0])] == ["Bark", "Rain"]


@pytest.mark.weights
def test_an_empty_query_is_refused(audioset_matcher):
    with pytest.raises(QueryError):
        audioset_matcher.query(" ")
