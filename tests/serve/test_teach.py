"""Tags of one's own over HTTP."""

import numpy as np
import pytest
import soundfile

from auricle.library import Library
from tests.serve.conftest import BASE, RATE, asking, problem, tone

URL = f"{BASE}/teach"


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """A library of ten low and ten high tones, of which the test may use copies."""
    folder = tmp_path_factory.mktemp("lessons")
    for i in range(10):
        for kind, hertz in (("low", 120 + i), ("high", 4000 + 20 * i)):
            (folder / "sounds").mkdir(exist_ok=True)
            soundfile.write(folder / "sounds" / f"{kind} {i}.wav", tone(hertz, 2), RATE)
    long = np.concatenate([tone(125, 4), tone(4050, 4), tone(125, 4)])
    soundfile.write(folder / "sounds" / "long.wav", long, RATE)
    Library(folder / "library", ear="fake_ear").index(folder / "sounds", workers=1)
    return folder / "library"


@pytest.fixture
def pupil(heard, tmp_path):
    """A client of a library to teach."""
    import shutil

    with asking(shutil.copytree(heard, tmp_path / "library")) as client:
        yield client


def named(client) -> dict[str, dict]:
    return {one["name"]: one for one in client.get(f"{BASE}/recordings", params={"limit": 100}).json()["items"]}


def stretches(client, kind: str, numbers) -> list[dict]:
    known = named(client)
    return [{"recording": known[f"{kind} {i}.wav"]["id"], "start": 0, "end": 2} for i in numbers]


def teach(client, name: str = "Beep", first: int = 0, last: int = 5):
    lesson = {
        "positives": stretches(client, "high", range(first, last)),
        "negatives": stretches(client, "low", range(first, last)),
    }
    return client.post(URL, json={"name": name, **lesson})


def tagged(client, name: str = "Beep") -> set[str]:
    return {one["name"] for one in named(client).values() if name in [tag["label"] for tag in one["tags"]]}


def test_lessons_add_up(pupil):
    assert pupil.get(URL).json() == []
    few = pupil.post(URL, json={"name": "Beep", "positives": stretches(pupil, "high", range(4))})
    assert "4 positive examples" in problem(few, 400)
    assert pupil.get(URL).json() == []
    first = teach(pupil).json()
    assert (first["name"], first["positives"], first["negatives"]) == ("Beep", 5, 5)
    assert first["accuracy"] == first["average_precision"] == 1
    second = pupil.post(URL, json={"name": "Beep", "positives": stretches(pupil, "high", [4, 5])}).json()
    assert (second["positives"], second["negatives"]) == (6, 5)
    assert pupil.get(URL).json() == [second]


def test_how_well_it_is_told_apart_may_not_be_known(pupil):
    low, high = stretches(pupil, "low", range(5)), stretches(pupil, "high", [0])
    parts = [{**high[0], "start": i / 5, "end": i / 5 + 0.2} for i in range(5)]
    told = pupil.post(URL, json={"name": "Beep", "positives": parts, "negatives": low}).json()
    assert told["accuracy"] is told["average_precision"] is None


def test_a_tag_finds_what_it_stands_for(pupil):
    teach(pupil)
    hits = pupil.get(f"{URL}/Beep/ranked", params={"limit": 11}).json()
    assert {hit["name"] for hit in hits} == {f"high {i}.wav" for i in range(10)} | {"long.wav"}
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    (within,) = (hit for hit in hits if hit["name"] == "long.wav")
    assert 3 <= within["start"] < within["end"] <= 9
    assert tagged(pupil) == {f"high {i}.wav" for i in range(10)} | {"long.wav"}
    found = pupil.post(
        f"{BASE}/search", json={"like": [{"recording": within["recording"], "start": 4, "end": 8}]}
    ).json()
    assert "high" in found["hits"][0]["name"] or found["hits"][0]["name"] == "long.wav"


def test_what_it_asks_about_next_was_not_said_before(pupil):
    teach(pupil)
    known = {stretch["recording"] for kind in ("high", "low") for stretch in stretches(pupil, kind, range(5))}
    hits = pupil.get(f"{URL}/Beep/uncertain", params={"limit": 200}).json()
    assert hits
    assert not known & {hit["recording"] for hit in hits}
    assert len(pupil.get(f"{URL}/Beep/uncertain", params={"limit": 1}).json()) == 1


def test_lessons_are_undone(pupil):
    teach(pupil)
    teach(pupil, first=5, last=7)
    assert pupil.post(f"{URL}/Beep/undo").json()["positives"] == 5
    assert pupil.delete(f"{URL}/Beep").status_code == 204
    assert pupil.get(URL).json() == []
    assert tagged(pupil) == set()
    problem(pupil.get(f"{URL}/Beep/ranked"), 404)
    assert pupil.post(f"{URL}/Beep/undo").json()["positives"] == 5  # that it was forgotten
    assert "high 9.wav" in tagged(pupil)
    assert pupil.post(f"{URL}/Beep/undo").json() is None
    assert pupil.get(URL).json() == []
    assert "no lesson" in problem(pupil.post(f"{URL}/Beep/undo"), 409)


@pytest.mark.parametrize("name", ["a/b", "Öl & Gas?", "100 %", "ranked", "undo", "☂", "a/ranked"])
def test_names_are_free(pupil, name):
    from urllib.parse import quote

    assert teach(pupil, name).json()["name"] == name
    one = f"{URL}/{quote(name, safe='')}"
    assert pupil.get(f"{one}/ranked").json()[0]["name"].startswith(("high", "long"))
    assert pupil.delete(one).status_code == 204


def test_nonsense_is_refused(pupil):
    good = stretches(pupil, "high", range(5))
    problem(pupil.post(URL, json={"name": " ", "positives": good, "negatives": good}), 400)
    problem(pupil.post(URL, json={"name": "", "positives": good}), 422)
    problem(pupil.post(URL, json={"name": "High tone", "positives": good}), 400)  # the ear's own
    problem(pupil.post(URL, json={"name": "A", "examples": good}), 422)
    problem(pupil.post(URL, json={"name": "A", "positives": [{**good[0], "end": -1}]}), 422)
    problem(pupil.post(URL, json={"name": "A", "positives": [{**good[0], "start": 2, "end": 1}]}), 400)
    problem(pupil.post(URL, json={"name": "A", "positives": [{**good[0], "recording": "0" * 32}]}), 409)
    for method, path in (("get", "/A/ranked"), ("get", "/A/uncertain"), ("delete", "/A")):
        problem(getattr(pupil, method)(URL + path), 404)
    problem(pupil.post(f"{URL}/A/undo"), 409)
    teach(pupil)
    problem(pupil.get(f"{URL}/Beep/ranked", params={"limit": 0}), 422)


def test_an_empty_library_can_be_taught_nothing(tmp_path):
    with asking(tmp_path / "library", ear="fake_ear") as client:
        assert client.get(URL).json() == []
        problem(client.post(URL, json={"name": "A"}), 409)
        problem(client.get(f"{URL}/A/ranked"), 404)
