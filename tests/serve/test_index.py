"""Indexing over HTTP: a run is started, followed to its end, stopped; and kept to where it may listen."""

import asyncio
import json
import time
from pathlib import Path
from typing import cast

import httpx2
import numpy as np
import pytest
import soundfile

from auricle.library import Library
from auricle.serve import jobs
from auricle.serve.limits import Limits
from tests.serve.conftest import BASE, RATE, asking, problem, running, tone


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home folder with a few recordings."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "field"
    folder.mkdir(parents=True)
    for i in range(4):
        soundfile.write(folder / f"{i}.wav", tone(200 + 900 * i, 2), RATE)
    (folder / "broken.wav").write_bytes(b"no sound")
    return folder


def told(client, job: str) -> list[dict]:
    """Everything the event stream of a job says until it ends."""
    with client.stream("GET", f"/api/v1/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]


def test_a_run_is_followed_to_its_end(home, tmp_path):
    with asking(tmp_path / "library", ear="fake_ear") as client:
        assert client.get("/api/v1/jobs").json() == []
        answer = client.post(f"{BASE}/index", json={"paths": [str(home)]})
        assert answer.status_code == 202
        job = answer.json()["job"]
        assert answer.json()["state"] == "running"
        assert client.get("/api/v1/libraries").json()[0]["job"] == job
        assert "being indexed" in problem(client.post(f"{BASE}/index", json={"paths": []}), 409)
        news = told(client, job)
        assert [event["state"] for event in news[:-1]] == ["running"] * (len(news) - 1)
        last = news[-1]
        assert (last["state"], last["total"], last["done"], last["heard"], last["quarantined"]) == ("done", 5, 5, 4, 1)
        assert last["seconds"] == pytest.approx(8)
        assert [event["done"] for event in news] == sorted(event["done"] for event in news)
        assert client.get(f"/api/v1/jobs/{job}").json() == last
        assert client.get("/api/v1/jobs").json() == [last]
        assert told(client, job) == [last]  # whoever comes late hears the end
        (library,) = client.get("/api/v1/libraries").json()
        assert (library["exists"], library["files"], library["job"]) == (True, 4, None)
        assert client.get(f"{BASE}/recordings").json()["total"] == 4
        again = client.post(f"{BASE}/index", json={}).json()  # what was indexed before
        assert told(client, again["job"])[-1]["heard"] == 0


def test_a_run_is_stopped_and_keeps_what_it_heard(home, tmp_path):
    noise = np.random.default_rng(0)
    for i in range(60):
        soundfile.write(home / f"long {i}.wav", noise.uniform(-0.5, 0.5, RATE * 60).astype(np.float32), RATE)
    with asking(tmp_path / "library", ear="fake_ear") as client:
        job = client.post(f"{BASE}/index", json={"paths": [str(home)]}).json()["job"]
        while client.get(f"/api/v1/jobs/{job}").json()["heard"] < 2:
            time.sleep(0.05)
        answer = client.delete(f"/api/v1/jobs/{job}")
        assert (answer.status_code, answer.json()["state"]) == (202, "stopping")
        last = told(client, job)[-1]
        assert last["state"] == "stopped"
        assert 2 <= last["heard"] < 64
        assert client.delete(f"/api/v1/jobs/{job}").json()["state"] == "stopped"  # once is enough
    library = Library(tmp_path / "library")
    assert len(library.recordings()) == last["heard"]
    assert library.store.ended_cleanly


def test_a_run_ends_with_the_server(home, tmp_path):
    noise = np.random.default_rng(0)
    for i in range(60):
        soundfile.write(home / f"long {i}.wav", noise.uniform(-0.5, 0.5, RATE * 60).astype(np.float32), RATE)
    with asking(tmp_path / "library", ear="fake_ear") as client:
        client.post(f"{BASE}/index", json={"paths": [str(home)]})
        job = client.app.state.context.jobs.all()[0]
        time.sleep(1)
    assert job.facts["state"] in ("stopped", "done")
    assert job._process.returncode is not None


def test_a_run_that_cannot_be_says_why(home, tmp_path, own):
    library = Library(own)
    with asking(own) as client, library.store.lock():
        job = client.post(f"{BASE}/index", json={"paths": [str(home)]}).json()["job"]
        last = told(client, job)[-1]
    assert last["state"] == "failed"
    assert "writing" in last["error"]["problem"]


def test_a_run_that_breaks_off_is_noticed(home, tmp_path):
    with asking(tmp_path / "library", ear="fake_ear") as client:
        id = client.post(f"{BASE}/index", json={"paths": [str(home)]}).json()["job"]
        client.app.state.context.jobs(id)._process.kill()
        last = told(client, id)[-1]
        assert last["state"] in ("failed", "done")
        if last["state"] == "failed":
            assert "broke off" in last["error"]["problem"]


@pytest.mark.parametrize("path", ["/etc", "/", "relative", "../..", "~/../..", "{home}/../../outside", "{home}/link"])
def test_folders_elsewhere_are_refused(home, tmp_path, path):
    (tmp_path / "outside").mkdir()
    (home / "link").symlink_to(tmp_path / "outside")
    with asking(tmp_path / "library", ear="fake_ear") as client:
        paths = [path.format(home=home)]
        assert "below the home folder" in problem(client.post(f"{BASE}/index", json={"paths": paths}), 403)
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize("path", ["{home}/nothing", "x\0y", "~nobody-of-that-name/x", "/" + "x" * 4000])
def test_folders_that_are_not_there_are_refused(home, tmp_path, path):
    with asking(tmp_path / "library", ear="fake_ear") as client:
        answer = client.post(f"{BASE}/index", json={"paths": [path.format(home=home)]})
        assert answer.status_code in (403, 422)
        problem(answer, answer.status_code)


def test_folders_indexed_before_may_be_anywhere(home, own, sounds):
    with asking(own) as client:
        job = client.post(f"{BASE}/index", json={"paths": [str(sounds / "low")]}).json()["job"]
        assert told(client, job)[-1]["state"] == "done"


def test_nothing_to_index(home, tmp_path):
    with asking(tmp_path / "library", ear="fake_ear") as client:
        assert "nothing to index" in problem(client.post(f"{BASE}/index", json={"paths": []}), 422)
        problem(client.get("/api/v1/jobs/nothing"), 404)
        problem(client.get("/api/v1/jobs/nothing/events"), 404)
        problem(client.delete("/api/v1/jobs/nothing"), 404)


def test_a_silent_run_keeps_its_stream_open(monkeypatch):
    class Silent:
        living = True

        def told(self) -> dict:
            return {"state": "running"}

    monkeypatch.setattr(jobs, "HEARTBEAT_SECONDS", 0.3)

    async def first(count: int) -> list[str]:
        stream = jobs.events(cast(jobs.Job, Silent()))
        return [await anext(stream) for _ in range(count)]

    assert asyncio.run(first(3)) == ['data: {"state": "running"}\n\n', ": still here\n\n", ": still here\n\n"]


def test_event_streams_have_a_limit_of_their_own(home, own, monkeypatch):
    async def endless(_):
        while True:
            yield ": x\n\n"
            await asyncio.sleep(0.05)

    monkeypatch.setattr("auricle.serve.routes.index.events", endless)
    with (
        running(own, limits=Limits(streams=1)) as (host, port),
        httpx2.Client(base_url=f"http://{host}:{port}", timeout=20) as client,
    ):
        url = f"/api/v1/jobs/{client.post(f'{BASE}/index', json={'paths': [str(home)]}).json()['job']}"
        with client.stream("GET", f"{url}/events") as stream:
            lines = stream.iter_lines()  # held: a stream whose reader is dropped is closed
            assert next(lines) == ": x"
            assert client.get(f"{url}/events").status_code == 503
            assert client.get(url).status_code == 200
