import numpy as np
import pytest
from tests.library.conftest import save, tone

from auricle.audio import read
from auricle.data import mini
from auricle.errors import LibraryError, QueryError
from auricle.library import Library, speakers, voices
from auricle.library.voices import BAR, Voice


def spoken(rng, centre, windows, spread=0.7):
    """Unit vectors [windows, dim] around ``centre``."""
    vectors = centre + spread * rng.standard_normal((windows, len(centre))) / len(centre) ** 0.5
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def people(rng, count, dim=64):
    centres = rng.standard_normal((count, dim))
    return centres / np.linalg.norm(centres, axis=1, keepdims=True)


class TestVoices:
    def test_within_is_the_mean_cosine_of_pairs_with_what_is_expected_of_one_window(self):
        vectors = spoken(np.random.default_rng(0), people(np.random.default_rng(1), 1)[0], 7)
        cosines = (vectors @ vectors.T).sum(axis=1) - 1
        assert Voice.of(vectors).within == pytest.approx(np.mean((cosines + voices.WITHIN) / 7), abs=1e-5)
        assert Voice.of(vectors[:1]).within == pytest.approx(voices.WITHIN)

    def test_likeness_does_not_grow_with_what_is_said(self):
        rng = np.random.default_rng(0)
        one, other = people(rng, 2)
        for windows in (5, 20, 80):
            first, again, else_ = (Voice.of(spoken(rng, centre, windows)) for centre in (one, one, other))
            assert voices.likeness([first], [again])[0, 0] == pytest.approx(1, abs=0.1)
            assert voices.likeness([first], [else_])[0, 0] < 0.4

    def test_voices_joined_are_the_voice_of_all_their_windows(self):
        vectors = spoken(np.random.default_rng(0), people(np.random.default_rng(1), 1)[0], 9)
        parts = Voice.joined([Voice.of(vectors[:2]), Voice.of(vectors[2:])])
        assert parts.windows == 9
        assert parts.mean == pytest.approx(vectors.mean(axis=0), abs=1e-6)

    def test_score_and_bar_are_inverse(self):
        assert voices.score_of(BAR) == 0.5
        for score in (0.01, 0.3, 0.9):
            assert voices.score_of(voices.bar_of(score)) == pytest.approx(score)
        assert np.isfinite([voices.bar_of(0.0), voices.bar_of(1.0)]).all()

    def test_turns_of_a_conversation(self):
        rng = np.random.default_rng(0)
        one, other = people(rng, 2)
        turns = [(one, 12), (other, 9), (one, 5), (other, 14)]
        labels = voices.tell_apart(np.concatenate([spoken(rng, *turn) for turn in turns]))
        assert labels.tolist() == [0] * 12 + [1] * 9 + [0] * 5 + [1] * 14

    def test_a_window_in_between_is_no_voice_of_its_own(self):
        rng = np.random.default_rng(0)
        one, other, cough = people(rng, 3)
        talk = np.concatenate([spoken(rng, one, 8), spoken(rng, cough, 1), spoken(rng, other, 8)])
        assert set(voices.tell_apart(talk)) == {0, 1}
        assert voices.tell_apart(spoken(rng, cough, 1)).tolist() == [0]
        assert voices.tell_apart(np.concatenate([spoken(rng, one, 2), spoken(rng, other, 2)])).tolist() == [0] * 4

    def test_blocks_of_a_long_recording_are_joined_by_the_speakers(self, monkeypatch):
        monkeypatch.setattr(voices, "BLOCK", 10)
        rng = np.random.default_rng(0)
        vectors = spoken(rng, people(rng, 1)[0], 30)
        labels = voices.tell_apart(vectors)
        assert labels.tolist() == [0] * 10 + [1] * 10 + [2] * 10
        assert set(voices.cluster([Voice.of(vectors[labels == label]) for label in range(3)])) == {0}

    @pytest.mark.parametrize("many", [1000, 20])
    def test_speakers_of_many_voices(self, many, monkeypatch):
        monkeypatch.setattr(voices, "MANY", many)
        rng = np.random.default_rng(0)
        truth = np.arange(60) % 6
        centres = people(rng, 6)
        labels = voices.cluster([Voice.of(spoken(rng, centres[who], 10)) for who in truth])
        assert len(set(zip(truth, labels, strict=True))) == len(set(labels)) == 6


@pytest.fixture
def listening(monkeypatch):
    """The fake ear as the ear for voices, and low tones as the speech of it."""
    monkeypatch.setattr(speakers, "EAR", "fake_ear")
    monkeypatch.setattr(speakers, "WITNESS", "fake_ear")
    monkeypatch.setattr(speakers, "SPEECH", "Low tone")


def test_who_speaks_where(library, sounds, listening):
    turns = library.speakers("path NOT LIKE '% 2.wav'")  # tones of a kind that lie in one band each
    by_kind = {turn.path.split("/")[-1].split()[0]: turn.speaker for turn in turns if "long" not in turn.path}
    assert len(set(by_kind.values())) == 3
    long = sorted((turn.start, turn.end, turn.speaker) for turn in turns if turn.path.endswith("long.flac"))
    assert [speaker for *_, speaker in long] == [by_kind["low"], by_kind["high"], by_kind["low"]]
    assert long[1][:2] == pytest.approx((10, 14), abs=0.6)
    assert by_kind["low"] == "speaker 1"  # twenty seconds and more
    assert [turn.speaker for turn in turns] == sorted(turn.speaker for turn in turns)
    assert all(0.5 <= turn.score <= 1 and turn.start < turn.end for turn in turns)


def test_where_and_copies(library, sounds, listening):
    (sounds / "copy.flac").write_bytes((sounds / "long.flac").read_bytes())
    library.index(sounds, workers=1)
    turns = library.speakers("duration > 20")
    paths = [turn.path for turn in turns]
    assert {path.rpartition("/")[2] for path in paths} == {"long.flac", "copy.flac"}
    assert paths.count(str(sounds / "copy.flac")) == paths.count(str(sounds / "long.flac")) == 3
    assert library.speakers("duration > 1000") == []


def test_where_one_voice_speaks(library, sounds, listening):
    turns = library.speakers(like=f"{sounds / 'long.flac'}@1-8")
    assert {turn.path.split("/")[-1].split()[0] for turn in turns} == {"low", "long.flac"}
    assert [turn.score for turn in turns] == sorted((turn.score for turn in turns), reverse=True)
    with pytest.raises(QueryError, match="Nobody is heard"):
        library.speakers(like=str(sounds / "high" / "high 0.wav"))


def test_only_speech_counts_where_another_ear_heard_it(library, listening, monkeypatch):
    store = library.store
    monkeypatch.setattr(speakers, "_speech", lambda store, ear: dict.fromkeys(store.heard(ear), NEVER))
    assert library.speakers() == []
    assert store.ears


NEVER = (np.zeros(1), np.zeros(1, np.float32))


def test_verify(sounds, listening):
    low = [str(sounds / "low" / f"low {i}.wav") for i in range(2)]  # within one band
    same = speakers.verify(*low)
    assert same.same
    assert same.score > same.threshold
    assert not speakers.verify(*low, threshold=1.0).same or same.score == 1
    with pytest.raises(QueryError, match="high 0"):
        speakers.verify(low[0], str(sounds / "high" / "high 0.wav"))


def test_a_library_without_an_ear_for_voices(library):
    with pytest.raises(LibraryError, match="auricle index --ear ge2e"):
        Library(library.path).speakers()
    assert len(Library(library.path, ear="fake_ear").speakers()) > 3


@pytest.mark.weights
def test_real_voices(tmp_path):
    manifest = mini("speech", "grouped")
    said = {source: [] for source in ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-it-wav")}
    for row in manifest:
        if row["source"] in said and len(said[row["source"]]) < 6:
            said[row["source"]].append(read(manifest.root / row["path"], 16_000)[0])
    allison, carlo = map(np.concatenate, said.values())
    change = len(allison) / 16_000
    talk = save(tmp_path / "talk.wav", np.concatenate([allison, carlo]))
    hum = save(tmp_path / "hum.wav", tone(300, 4))
    for ear in ("yamnet", "ge2e"):
        Library(tmp_path / "library", ear=ear).index(talk, hum, workers=1)
    turns = Library(tmp_path / "library").speakers()
    assert {turn.path for turn in turns} == {str(talk)}
    before = {turn.speaker for turn in turns if turn.end < change + 1}
    after = {turn.speaker for turn in turns if turn.start > change - 1}
    assert len(before) == len(after) == 1
    assert before != after
    assert speakers.verify(f"{talk}@0-{change / 2}", f"{talk}@{change / 2}-{change}").same
    assert not speakers.verify(f"{talk}@0-{change}", f"{talk}@{change}-").same
