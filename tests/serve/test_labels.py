"""Labels and collections over HTTP."""

import csv
import io
import zipfile
from typing import get_args

import pytest
import soundfile

from auricle.library import formats
from auricle.serve.routes.labels import FormatName
from tests.serve.conftest import BASE, problem


@pytest.fixture
def long(ids) -> str:
    return ids["long.flac"]


def test_an_event_is_confirmed_and_stays_as_it_is(writer, long):
    url = f"{BASE}/recordings/{long}"
    events = writer.get(f"{url}/events").json()
    event = next(event for event in events if event["label"] == "High tone")
    assert 3 <= event["start"] < event["end"] <= 9
    answer = writer.post(
        f"{url}/labels", json={**_span(event), "label": "High tone", "verdict": "confirmed", "event": event}
    )
    assert answer.status_code == 201
    label = answer.json()
    assert (label["verdict"], label["version"], label["recording"], label["event"]) == ("confirmed", 1, long, event)
    assert writer.get(f"{url}/labels").json() == [label]
    renamed = writer.patch(f"{BASE}/labels/{label['id']}", json={"label": "Whistle", "verdict": "renamed"}).json()
    assert (renamed["label"], renamed["version"], renamed["event"]) == ("Whistle", 2, event)
    assert writer.get(f"{url}/events").json() == events


def test_changes_are_undone_in_order(writer, long):
    url = f"{BASE}/recordings/{long}/labels"
    label = writer.post(url, json={"start": 1, "end": 2, "label": "A", "low": 300, "high": 900}).json()
    writer.patch(f"{BASE}/labels/{label['id']}", json={"label": "B", "low": None})
    assert writer.delete(f"{BASE}/labels/{label['id']}").status_code == 204
    assert writer.get(url).json() == []
    undone = writer.post(f"{BASE}/labels/undo").json()
    assert undone["label"]["label"] == "B"
    (standing,) = writer.get(url).json()
    assert (standing["label"], standing["low"], standing["high"]) == ("B", None, 900)
    writer.post(f"{BASE}/labels/undo")
    assert writer.get(url).json()[0]["label"] == "A"
    writer.post(f"{BASE}/labels/undo")
    assert writer.get(url).json() == []
    assert "nothing to undo" in problem(writer.post(f"{BASE}/labels/undo"), 409)


def test_labels_of_nothing(client, long):
    label = {"start": 0, "end": 1, "label": "A"}
    problem(client.post(f"{BASE}/recordings/{'0' * 32}/labels", json=label), 404)
    problem(client.get(f"{BASE}/recordings/{'0' * 32}/labels"), 404)
    problem(client.patch(f"{BASE}/labels/nothing", json={"label": "B"}), 404)
    problem(client.delete(f"{BASE}/labels/nothing"), 404)
    for path in ("labels/nothing", "recordings", "stats", "labels/undo"):
        problem(client.put(f"{BASE}/{path}"), 405)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"end": 0}, 400),
        ({"label": " "}, 400),
        ({"label": ""}, 422),
        ({"label": "x" * 201}, 422),
        ({"start": -1}, 422),
        ({"start": None}, 422),
        ({"verdict": "perhaps"}, 422),
        ({"low": -1}, 422),
        ({"event": {"start": 0}}, 422),
        ({"id": "x"}, 422),
    ],
)
def test_nonsense_is_refused(client, long, change, status):
    problem(
        client.post(f"{BASE}/recordings/{long}/labels", json={"start": 0.5, "end": 1, "label": "A"} | change), status
    )


def test_a_label_cannot_lose_what_it_needs(writer, long):
    label = writer.post(f"{BASE}/recordings/{long}/labels", json={"start": 1, "end": 2, "label": "A"}).json()
    for change in ({"label": None}, {"start": None}, {"verdict": None}):
        problem(writer.patch(f"{BASE}/labels/{label['id']}", json=change), 422)
    problem(writer.patch(f"{BASE}/labels/{label['id']}", json={"end": 0.5}), 400)


def test_events_at_other_thresholds(client, long, indexed):
    url = f"{BASE}/recordings/{long}/events"
    assert client.get(url, params={"labels": "high tone"}).json()[0]["label"] == "High tone"
    assert len(client.get(url, params={"on": 1.0}).json()) <= len(client.get(url).json())
    problem(client.get(url, params={"labels": "Unicorn"}), 409)
    problem(client.get(url, params={"on": 2}), 422)


@pytest.mark.parametrize("format", list(formats.FORMATS))
def test_labels_and_events_as_files(writer, ids, format):
    id = ids["naïve 🎧;name.wav"]
    url = f"{BASE}/recordings/{id}"
    writer.post(f"{url}/labels", json={"start": 0.25, "end": 1, "label": "Übung", "low": 100, "high": 900})
    writer.post(f"{url}/labels", json={"start": 0.5, "end": 1, "label": "Not this", "verdict": "rejected"})
    answer = writer.get(f"{url}/export", params={"format": format})
    assert answer.status_code == 200
    header = answer.headers["content-disposition"]
    assert f"na%C3%AFve%20%F0%9F%8E%A7%3Bname{formats.FORMATS[format].extension}" in header
    (event,) = formats.read(format, io.BytesIO(answer.content))
    assert (event.start, event.end, event.label) == (0.25, 1.0, "Übung")
    heard = formats.read(
        format, io.BytesIO(writer.get(f"{url}/export", params={"format": format, "what": "events"}).content)
    )
    assert [event.label for event in heard] == [event["label"] for event in writer.get(f"{url}/events").json()]


def test_every_format_can_be_asked_for(client, long):
    assert set(get_args(FormatName)) == set(formats.FORMATS)
    problem(client.get(f"{BASE}/recordings/{long}/export", params={"format": "docx"}), 422)


# --- collections ------------------------------------------------------------------------------------------------------


def test_collections(writer, ids):
    url = f"{BASE}/collections"
    made = writer.post(url, json={"name": "Best of"})
    assert made.status_code == 201
    one = f"{url}/{made.json()['id']}"
    items = [
        {"recording": ids["long.flac"], "start": 4, "end": 5.5},
        {"recording": ids["stereo.aiff"], "start": 0, "end": 1},
    ]
    detail = writer.post(f"{one}/items", json={"items": items}).json()
    assert [(item["name"], item["start"], item["end"]) for item in detail["items"]] == [
        ("long.flac", 4, 5.5), ("stereo.aiff", 0, 1),
    ]  # fmt: skip
    assert writer.post(f"{one}/items", json={"items": items[:1]}).json() == detail  # it is there already
    assert writer.get(one).json() == detail
    page = writer.get(url).json()
    assert (page["total"], page["items"][0]["count"], page["items"][0]["seconds"]) == (1, 2, 2.5)
    assert writer.patch(one, json={"name": "Worst of"}).json()["name"] == "Worst of"
    assert writer.delete(f"{one}/items/{detail['items'][0]['id']}").status_code == 204
    assert [item["name"] for item in writer.get(one).json()["items"]] == ["stereo.aiff"]
    assert writer.post(f"{url}/undo").json()["collection"]["count"] == 2
    assert writer.delete(one).status_code == 204
    problem(writer.get(one), 404)


def test_collections_are_taken_away(writer, ids, sounds):
    url = f"{BASE}/collections"
    one = f"{url}/{writer.post(url, json={'name': 'a/b: ☂'}).json()['id']}"
    items = [
        {"recording": ids["long.flac"], "start": 4, "end": 5.5},
        {"recording": ids["stereo.aiff"], "start": 0, "end": 1},
    ]
    writer.post(f"{one}/items", json={"items": items})
    answer = writer.get(f"{one}/download", params={"as": "zip"})
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    told = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
    assert len(told) == 2
    clip, _ = soundfile.read(io.BytesIO(archive.read(told[0]["clip"])), dtype="int16")
    whole, _ = soundfile.read(sounds / "long.flac", dtype="int16")
    assert (clip == whole[64_000:88_000]).all()
    playlist = writer.get(f"{one}/download", params={"as": "m3u8"})
    assert playlist.text.startswith("#EXTM3U")
    assert str(sounds / "long.flac") in playlist.text


def test_collections_of_nonsense(writer, ids):
    url = f"{BASE}/collections"
    one = f"{url}/{writer.post(url, json={'name': 'A'}).json()['id']}"
    problem(writer.post(url, json={"name": "a"}), 400)  # taken
    problem(writer.post(url, json={"name": ""}), 422)
    problem(writer.post(f"{one}/items", json={"items": []}), 422)
    problem(writer.post(f"{one}/items", json={"items": [{"recording": ids["long.flac"], "start": 2, "end": 1}]}), 400)
    problem(writer.post(f"{one}/items", json={"items": [{"recording": "0" * 32, "start": 0, "end": 1}]}), 409)
    problem(writer.delete(f"{one}/items/x"), 404)
    problem(writer.post(f"{url}/undo", json={}), 409) if not writer.post(f"{url}/undo").is_success else None
    for path in ("", "/items", "/download"):
        problem(
            writer.request("GET" if path != "/items" else "POST", f"{url}/nothing{path}", json={"items": []}),
            404 if path != "/items" else 422,
        )


def test_a_collection_never_leads_out_of_the_indexed_folders(tmp_path):
    from auricle.library import Library
    from tests.serve.conftest import RATE, asking, tone

    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    soundfile.write(tmp_path / "in" / "a.wav", tone(500, 2), RATE)
    soundfile.write(tmp_path / "out" / "secret.wav", tone(900, 2), RATE)
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "in", workers=1)
    id = library.recordings()[0].id
    with asking(tmp_path / "library") as client:
        one = f"{BASE}/collections/{client.post(f'{BASE}/collections', json={'name': 'A'}).json()['id']}"
        client.post(f"{one}/items", json={"items": [{"recording": id, "start": 0, "end": 1}]})
        assert client.get(f"{one}/download").status_code == 200
        (tmp_path / "in" / "a.wav").unlink()
        assert client.get(f"{one}/download").status_code == 200  # the manifest says what is missing
        (tmp_path / "in" / "a.wav").symlink_to(tmp_path / "out" / "secret.wav")
        problem(client.get(f"{one}/download"), 409)


def _span(event: dict) -> dict:
    return {"start": event["start"], "end": event["end"]}
