from pathlib import Path

import pytest

from auricle.library import Library
from tests.serve.conftest import BASE, asking, problem


def names(client, **params) -> list[str]:
    page = client.get(f"{BASE}/recordings", params=params).json()
    assert page["total"] >= len(page["items"])
    return [item["path"] for item in page["items"]]


ALL = [
    "high/1.wav", "high/2.wav", "long.flac", "low/1.wav", "low/2.wav", "naïve 🎧;name.wav", "stereo.aiff",
]  # fmt: skip


def test_recordings_are_listed_once_each_by_path(client):
    assert names(client) == ALL  # the copy is not another recording


def test_pages_share_the_list_out(client):
    pages = [client.get(f"{BASE}/recordings", params={"limit": 3, "offset": at}).json() for at in (0, 3, 6, 9)]
    assert [item["path"] for page in pages for item in page["items"]] == ALL
    assert {page["total"] for page in pages} == {len(ALL)}
    assert (pages[1]["limit"], pages[1]["offset"]) == (3, 3)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"tag": "High tone"}, ["high/1.wav", "high/2.wav", "long.flac"]),
        ({"tag": ["High tone", "Low tone"]}, ["long.flac"]),
        ({"tag": "it's"}, []),
        ({"folder": "high"}, ["high/1.wav", "high/2.wav"]),
        ({"folder": "hig"}, []),
        ({"min_duration": 5}, ["long.flac"]),
        ({"max_duration": 1.6}, ["naïve 🎧;name.wav"]),
        ({"q": "NAÏVE"}, ["naïve 🎧;name.wav"]),
        ({"q": "%"}, []),
        ({"where": "channels = 2"}, ["stereo.aiff"]),
        ({"where": "channels = 2", "folder": "high"}, []),
        ({"after": "2020-01-01"}, []),
        ({"sort": "duration", "limit": 2}, ["naïve 🎧;name.wav", "high/1.wav"]),
    ],
)
def test_filters(client, params, expected):
    assert names(client, **params) == expected


@pytest.mark.parametrize("where", ["colour = 'red'", "false) OR (true", "'", "channels", "; DROP TABLE recordings"])
def test_a_bad_filter_says_which_columns_there_are(client, where):
    answer = client.get(f"{BASE}/recordings", params={"where": where})
    problem(answer, 400)
    assert "duration" in answer.json()["error"]["remedy"]


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 9999}, {"offset": -1}, {"sort": "size"}, {"min_duration": "x"}]
)
def test_nonsense_is_refused(client, params):
    problem(client.get(f"{BASE}/recordings", params=params), 422)


def test_one_recording(client, ids):
    url = f"{BASE}/recordings/{ids['low/1.wav']}"
    answer = client.get(url)
    found = answer.json()
    assert (found["name"], found["folder"], found["duration"]) == ("1.wav", "low", 2.5)
    assert (found["sample_rate"], found["channels"], found["format"]) == (16_000, 1, "WAV")
    assert found["paths"] == ["low/1.wav", "low/copy of 1.wav"]
    assert found["available"]
    assert found["tags"][0]["label"] == "Low tone"
    assert client.get(url, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert "recording" in problem(client.get(f"{BASE}/recordings/{'0' * 32}"), 404)


def test_lists_are_not_sent_twice_until_the_library_changes(writer, own, tmp_path):
    import soundfile

    from tests.serve.conftest import RATE, tone

    for url in (f"{BASE}/recordings", f"{BASE}/facets"):
        tag = {"if-none-match": writer.get(url).headers["etag"]}
        assert writer.get(url, headers=tag).status_code == 304
    soundfile.write(tmp_path / "new.wav", tone(300, 2), RATE)
    Library(own, ear="fake_ear").index(tmp_path / "new.wav", workers=1)
    answer = writer.get(url, headers=tag)
    assert answer.status_code == 200
    assert sum(folder["files"] for folder in answer.json()["folders"]) == 9


def test_facets_count_files(client):
    facets = client.get(f"{BASE}/facets").json()
    assert {folder["path"]: folder["files"] for folder in facets["folders"]} == {"": 3, "high": 2, "low": 3}
    assert {tag["label"]: tag["files"] for tag in facets["tags"]}["High tone"] == 3
    assert facets["formats"][0] == {"format": "WAV", "files": 6}
    assert facets["duration"] == {"min": 1.5, "max": 12.0}
    assert facets["recorded"] == {"min": None, "max": None}


def test_libraries(client, indexed):
    (library,) = client.get("/api/v1/libraries").json()
    assert (library["name"], library["path"], library["files"], library["recordings"]) == (
        "library",
        str(indexed),
        8,
        7,
    )
    assert (library["exists"], library["ear"], library["job"], library["writable"]) == (
        True,
        "fake_ear@test",
        None,
        True,
    )
    assert client.get(f"{BASE}/stats").json()["seconds"] == library["seconds"]
    assert client.get(f"{BASE}/classes").json() == ["Silence", "Low tone", "Middle tone", "High tone"]
    assert "library" in problem(client.get("/api/v1/libraries/other/stats"), 404)


def test_files_that_could_not_be_heard(client):
    page = client.get(f"{BASE}/quarantine").json()
    assert page["total"] == 1
    assert page["items"][0]["path"] == "broken.wav"
    assert "No sound" in page["items"][0]["reason"]


def test_an_empty_library_answers_with_nothing(indexed, tmp_path):
    with asking(indexed, tmp_path / "empty") as client:
        empty = client.get("/api/v1/libraries").json()[1]
        assert (empty["exists"], empty["files"], empty["ear"]) == (False, 0, "")
        base = "/api/v1/libraries/empty"
        assert client.get(f"{base}/stats").json()["recordings"] == 0
        assert client.get(f"{base}/recordings").json()["items"] == []
        assert client.get(f"{base}/quarantine").json()["items"] == []
        assert client.get(f"{base}/collections").json()["items"] == []
        assert client.get(f"{base}/facets").json()["duration"] == {"min": None, "max": None}
        answer = client.post(f"{base}/search", json={"words": [{"text": "dog"}]}).json()
        assert (answer["hits"], answer["windows"]) == ([], 0)
        problem(client.get(f"{base}/recordings/{'0' * 32}/audio"), 404)
        problem(client.post(f"{base}/collections", json={"name": "x"}), 404)
        assert not Path(tmp_path / "empty").exists()  # asking writes nothing
