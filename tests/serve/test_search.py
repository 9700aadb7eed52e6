"""Searching over HTTP against searching in Python; uploads, good and bad."""

import io
import json
from contextlib import closing

import numpy as np
import pytest
import soundfile

from auricle.library import Library
from auricle.serve.limits import Limits
from tests import broken
from tests.serve.conftest import BASE, RATE, asking, problem, tone


def search(client, **body):
    answer = client.post(f"{BASE}/search", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def upload(client, data: bytes, name: str = "a.wav"):
    return client.post(f"{BASE}/uploads", files={"file": (name, data)})


def wav(samples, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def test_like_a_stretch_of_a_recording(client, ids, indexed, sounds):
    answer = search(client, like=[{"recording": ids["long.flac"], "start": 5, "end": 7}])
    assert {hit["path"] for hit in answer["hits"]} == {"long.flac", "high/1.wav", "high/2.wav"}
    expected = Library(indexed).search(like=[f"{sounds / 'long.flac'}@5-7"], limit=20)
    assert [(h["recording"], h["start"], h["end"], h["score"]) for h in answer["hits"]] == [
        (h.recording, h.start, h.end, h.score) for h in expected
    ]
    best = next(hit for hit in answer["hits"] if hit["name"] == "long.flac")
    assert best["path"] == "long.flac"
    assert best["duration"] == 12.0
    assert 3 <= best["start"] < best["end"] <= 9
    assert best["tags"][0]["label"] == "High tone"
    assert (answer["windows"], answer["served_by"], answer["more"]) == (53, "exact", False)


def test_words(client):
    answer = search(client, words=[{"text": "high tone"}], one_per_recording=True)
    assert [hit["tags"][0]["label"] for hit in answer["hits"]] == ["High tone"] * 3


def test_away_from_something(client, ids):
    near = [{"recording": ids["long.flac"]}]
    for away in ({"recording": ids["high/1.wav"], "weight": 2}, {"text": "high tone", "weight": 2}):
        answer = search(client, like=near, without=[away], min_score=0)
        assert answer["hits"][0]["tags"][0]["label"] == "Low tone"


def test_filters_and_pages(client, ids):
    like = [{"recording": ids["low/1.wav"]}]
    low = {ids["low/1.wav"], ids["low/2.wav"]}
    assert {h["recording"] for h in search(client, like=like, filters={"folder": "low"})["hits"]} == low
    assert {h["name"] for h in search(client, like=like, filters={"min_duration": 5})["hits"]} == {"long.flac"}
    assert search(client, like=like, filters={"tags": ["Nothing"]})["hits"] == []
    whole = search(client, like=like, min_score=0)["hits"]
    pages = [search(client, like=like, min_score=0, limit=2, offset=at) for at in range(0, len(whole), 2)]
    assert [hit for page in pages for hit in page["hits"]] == whole
    assert [page["more"] for page in pages] == [True] * (len(pages) - 1) + [False]


@pytest.mark.parametrize(
    "body",
    [
        {"unknown": 1},
        {"words": [{"text": ""}]},
        {"words": [{"text": "x" * 501}]},
        {"words": [{"text": "x", "weight": 0}]},
        {"words": [{"text": "x"}] * 17},
        {"like": [{}]},
        {"like": [{"recording": "x"}]},
        {"like": [{"recording": "0" * 32, "upload": "x"}]},
        {"like": [{"recording": "0" * 32, "start": 2, "end": 1}]},
        {"limit": 0},
        {"limit": 201},
        {"offset": 1001},
        {"min_score": 2},
        {"filters": {"min_duration": -1}},
        {"filters": {"after": "yesterday"}},
    ],
)
def test_nonsense_is_refused(client, body):
    problem(client.post(f"{BASE}/search", json=body), 422)


def test_what_is_no_json_is_refused(client):
    headers = {"content-type": "application/json"}
    for data in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"words":[{"text":"\\ud800"}]}', b"[" * 10_000):
        answer = client.post(f"{BASE}/search", content=data, headers=headers)
        assert answer.status_code in (400, 422), data
        problem(answer, answer.status_code)
    for number in (b"NaN", b"Infinity", b"1e999"):
        body = b'{"words":[{"text":"x","weight":' + number + b"}]}"
        problem(client.post(f"{BASE}/search", content=body, headers=headers), 422)


def test_what_cannot_be_looked_for(client):
    assert "nothing to look for" in problem(client.post(f"{BASE}/search", json={}), 400)
    problem(client.post(f"{BASE}/search", json={"without": [{"text": "x"}]}), 400)
    problem(client.post(f"{BASE}/search", json={"like": [{"recording": "0" * 32}]}), 404)
    problem(client.post(f"{BASE}/search", json={"like": [{"upload": "nothing"}]}), 404)
    problem(client.post(f"{BASE}/search", json={"words": [{"text": "x"}], "filters": {"where": "nonsense ("}}), 400)


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_like_an_upload(client, indexed, tmp_path):
    sound = np.concatenate([tone(120, 3), tone(4050, 3)])
    answer = upload(client, wav(sound))
    assert answer.status_code == 201
    assert answer.json()["duration"] == 6.0
    id = answer.json()["upload"]
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    for span, query in (({}, ""), ({"start": 0, "end": 2}, "@0-2"), ({"start": 4}, "@4-")):
        got = search(client, like=[{"upload": id, **span}], one_per_recording=True)
        expected = Library(indexed).answer(like=[f"{tmp_path / 'a.wav'}{query}"], one_per_recording=True).hits
        assert [hit["recording"] for hit in got["hits"]][:2] == [hit.recording for hit in expected][:2]


@pytest.mark.parametrize(("container", "suffix"), [("FLAC", "flac"), ("OGG", "ogg"), ("MP3", "mp3"), ("AIFF", "aiff")])
def test_uploads_in_any_format(client, container, suffix):
    answer = upload(client, broken.encoded(container), f"x.{suffix}")
    assert answer.status_code == 201
    assert abs(answer.json()["duration"] - broken.SECONDS) < 0.1


def test_an_upload_is_never_kept(client):
    folder = client.app.state.context.uploads.folder
    assert folder.stat().st_mode & 0o077 == 0
    upload(client, wav(tone(300, 1)))
    upload(client, b"no sound")
    assert list(folder.iterdir()) == []


def test_broken_uploads_are_refused_or_heard(client, tmp_path):
    expected = broken.build(tmp_path / "broken")
    for name, outcome in expected.items():
        file = tmp_path / "broken" / name
        if not file.is_file() or file.is_symlink() or "deep" in name:
            continue
        answer = upload(client, file.read_bytes(), name.encode("utf-8", "replace").decode())
        if name == "1024 channels.wav":
            assert "channels" in problem(answer, 413)
        elif outcome == broken.OK:
            assert answer.status_code == 201, (name, answer.text)
        else:
            assert outcome in problem(answer, 422), name
    assert list(client.app.state.context.uploads.folder.iterdir()) == []


def test_an_upload_is_as_long_as_it_decodes_not_as_it_says(indexed):
    """Silence as FLAC is a few bytes a second: what its header says of the length is not believed."""
    flac = bytearray(broken.encoded("FLAC", samples=np.zeros((60 * RATE, 1), np.float32)))
    flac[21:26] = bytes([flac[21] & 0xF0, 0, 0, 0, 0])  # STREAMINFO: an unknown number of samples
    assert len(flac) < 100_000
    with asking(indexed, limits=Limits(upload_seconds=30)) as client:
        assert "longer than 30 s" in problem(upload(client, bytes(flac), "a.flac"), 413)
        assert "longer than 30 s" in problem(upload(client, wav(tone(200, 31))), 413)
        assert upload(client, wav(tone(200, 30))).status_code == 201


def test_too_many_channels_are_refused(client):
    assert "channels" in problem(upload(client, wav(np.zeros((100, 33), np.float32))), 413)


def test_uploads_are_forgotten(indexed):
    with asking(indexed, limits=Limits(uploads_kept=2)) as client:
        ids = [upload(client, wav(tone(300, 1))).json()["upload"] for _ in range(3)]
        assert [client.post(f"{BASE}/search", json={"like": [{"upload": id}]}).status_code for id in ids] == [
            404,
            200,
            200,
        ]
    with asking(indexed, limits=Limits(upload_age=0)) as client:
        id = upload(client, wav(tone(300, 1))).json()["upload"]
        problem(client.post(f"{BASE}/search", json={"like": [{"upload": id}]}), 404)


def test_an_upload_belongs_to_its_library(indexed, own):
    own = own.rename(own.with_name("other"))
    with asking(indexed, own) as client:
        id = upload(client, wav(tone(300, 1))).json()["upload"]
        body = {"like": [{"upload": id}]}
        assert client.post(f"{BASE}/search", json=body).status_code == 200
        problem(client.post("/api/v1/libraries/other/search", json=body), 404)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a.wav\0.txt", "/tmp/x.wav", "", "x" * 5000 + ".wav", "..wav"])
def test_names_of_uploads_lead_nowhere(client, name):
    boundary = "x"
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    body = head + wav(tone(300, 1)) + b"\r\n--x--\r\n"
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    answer = client.post(f"{BASE}/uploads", content=body, headers=headers)
    assert answer.status_code in (201, 400, 422)


def test_malformed_forms_are_refused(client):
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "application/json", "text/plain"):
        for body in (
            b"",
            b"--x",
            b"--x\r\n\r\n",
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\na\r\n--x--',
        ):
            answer = client.post(f"{BASE}/uploads", content=body, headers={"content-type": kind})
            assert answer.status_code in (400, 422), (kind, body)
            problem(answer, answer.status_code)


def test_many_searches_at_once_while_the_library_grows(own, tmp_path):
    """One mapped index answers all, and is renewed between them; every answer is of one state or the other."""
    from concurrent.futures import ThreadPoolExecutor

    library = Library(own, ear="fake_ear")
    id = library.recordings()[0].id
    for i in range(6):
        (tmp_path / f"new {i}").mkdir()
        soundfile.write(tmp_path / f"new {i}" / "x.wav", tone(4000 + i, 2 + i / 10), RATE)
    with asking(own) as client, ThreadPoolExecutor(8) as pool, closing(client):

        def ask(_):
            answer = client.post(f"{BASE}/search", json={"like": [{"recording": id}]})
            assert answer.status_code == 200, answer.text
            return json.loads(answer.text)["windows"]

        assert ask(0) == 53
        asked = [pool.submit(ask, i) for i in range(100)]
        for i in range(6):
            library.index(tmp_path / f"new {i}", workers=1)
            asked += [pool.submit(ask, i) for i in range(30)]
        windows = [future.result() for future in asked]
        assert min(windows) >= 53
        assert ask(0) > 53
