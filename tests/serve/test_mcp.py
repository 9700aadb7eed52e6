"""``auricle mcp`` as a process, asked by the SDK's own client over standard input and output."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import numpy as np
import pytest
import soundfile
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult, Tool

import auricle
from auricle.errors import LibraryError
from auricle.library import Library
from auricle.library.labels import Labels
from tests.serve.conftest import MUSIC

RATE = 16_000
READING = {"search_text", "search_like", "identify", "describe_recording", "get_clip", "list_tags", "list_recordings"}
WRITING = {"add_label", "index_folder"}
NOBODY = "0" * 32  # the id of no recording

CHATTERING_EAR = '''
"""The fake ear, which understands "… 4000 Hz", takes its time, and talks while it listens."""

import os
import re
import time

import numpy as np

from fake_ear import FakeEar
from auricle.hub import Card

CARD = Card(name="chattering_ear", title="Bands, aloud", room="represent", kind="model", ear=True)


class ChatteringEar(FakeEar):
    name = "chattering_ear@test"
    text_min_score = 0.5

    def hear(self, waveform):
        print("listening")
        os.write(1, b"still listening\\n")
        time.sleep(float(os.environ.get("SECONDS_TO_HEAR", "0")))
        return super().hear(waveform)

    def embed_text(self, texts):
        hertz = [float(re.search("[0-9]+", text)[0]) for text in texts]
        seconds = np.arange(self.window) / self.sample_rate
        tones = [super(ChatteringEar, self).hear(np.sin(2 * np.pi * h * seconds)).embeddings[0] for h in hertz]
        return np.stack([tone / np.linalg.norm(tone) for tone in tones])


def load(tag="", path=None):
    return ChatteringEar()
'''


class Remote:
    """A server process, from a client's side."""

    def __init__(self, portal: BlockingPortal, client: Client):
        self.portal, self.client = portal, client

    @property
    def tools(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self.portal.call(self.client.list_tools).tools}

    def call(self, name: str, **arguments: object) -> CallToolResult:
        return self.portal.call(self.client.call_tool, name, arguments)

    def __call__(self, name: str, **arguments: object) -> dict[str, Any]:
        """The structured answer of a tool; it keeps to the tool's schema, and the text says the same."""
        result = self.call(name, **arguments)
        assert not result.is_error, result.content
        jsonschema.validate(result.structured_content, self.tools[name].output_schema)
        assert json.loads(result.content[-1].text) == result.structured_content
        return result.structured_content

    def refusal(self, name: str, **arguments: object) -> str:
        """What a tool says when it cannot do what is asked."""
        result = self.call(name, **arguments)
        assert result.is_error, result.content
        (content,) = result.content
        assert "Traceback" not in content.text
        return content.text


@contextmanager
def connected(library: Path, *words: str, mode: str = "auto", **env: str) -> Iterator[Remote]:
    """A client of ``auricle mcp`` on a library."""
    words = ("-m", "auricle", "mcp", "--library", str(library), "--offline", *words)
    server = StdioServerParameters(command=sys.executable, args=[*words], env=os.environ | env)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(server, mode=mode, read_timeout_seconds=60)) as client,
    ):
        yield Remote(portal, client)


@pytest.fixture(scope="module")
def ask(indexed) -> Iterator[Remote]:
    """A server that only reads."""
    with connected(indexed) as remote:
        yield remote


@pytest.fixture(scope="module")
def writing(indexed, tmp_path_factory) -> Iterator[Remote]:
    """A server that may write, to a copy of the library."""
    copy = shutil.copytree(indexed, tmp_path_factory.mktemp("mcp") / "library")
    with connected(Path(copy), "--write") as remote:
        yield remote


@pytest.fixture
def place(tmp_path, sounds) -> Path:
    """A folder with sounds and their library, which a test may change."""
    shutil.copytree(sounds, tmp_path / "sounds")
    Library(tmp_path / "library", ear="fake_ear").index(tmp_path / "sounds", workers=1)
    return tmp_path


@pytest.fixture
def chattering(tmp_path) -> dict[str, str]:
    """Environment in which there is the chattering ear."""
    package = tmp_path / "package"
    info = package / "chattering_ear-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "chattering_ear.py").write_text(CHATTERING_EAR)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chattering-ear\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[auricle.systems]\nchattering_ear = chattering_ear\n")
    return {"PYTHONPATH": os.pathsep.join([str(package), os.environ["PYTHONPATH"]])}


def decoded(result: CallToolResult) -> tuple[np.ndarray, int]:
    """The samples of a clip [samples, channels] as 16-bit integers, and their rate."""
    audio = result.content[0]
    data = io.BytesIO(base64.b64decode(audio.data))
    return soundfile.read(data, dtype="int16", always_2d=True)


# --- what there is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_learns_what_the_server_is(indexed, mode):
    with connected(indexed, mode=mode) as remote:
        assert remote.client.server_info.name == "auricle"
        assert remote.client.server_info.version == auricle.__version__
        assert "recording" in remote.client.instructions
        assert set(remote.tools) == READING


def test_without_write_every_tool_only_reads(ask):
    assert all(tool.annotations.read_only_hint for tool in ask.tools.values())
    assert "Unknown tool" in ask.refusal("add_label", recording=NOBODY, start=0, end=1, label="x")


def test_write_adds_tools_that_destroy_nothing(writing):
    tools = writing.tools
    assert set(tools) == READING | WRITING
    for name in WRITING:
        assert tools[name].annotations.read_only_hint is False
        assert tools[name].annotations.destructive_hint is False


def test_schemas_are_precise(writing):
    for tool in writing.tools.values():
        assert tool.description
        assert len(tool.description) < 150
        assert tool.annotations.open_world_hint is False
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        assert tool.input_schema["additionalProperties"] is False
        for name, parameter in tool.input_schema["properties"].items():
            assert "description" in parameter or "enum" in parameter, f"{tool.name}.{name}"


# --- searching --------------------------------------------------------------------------------------------------------


def test_search_like_a_recording(ask, ids, indexed):
    answer = ask("search_like", recording=ids["high/1.wav"], limit=2)
    assert len(answer["hits"]) == 2
    first = answer["hits"][0]
    expected = Library(indexed).search(like=first["path"], limit=2)[0]
    assert (first["recording"], first["start"], first["end"]) == (ids["high/1.wav"], expected.start, expected.end)
    assert first["score"] == pytest.approx(expected.score, abs=1e-3)
    assert answer["best"] >= first["score"] - 1e-3
    assert first["tags"][0]["label"] == "High tone"


def test_search_like_an_excerpt_hears_only_that(ask, ids):
    long = f"id = '{ids['long.flac']}'"
    (high, *_) = ask("search_like", recording=ids["long.flac"], start=5, end=7, where=long)["hits"]
    (low, *_) = ask("search_like", recording=ids["long.flac"], start=0, end=3, where=long)["hits"]
    assert (high["start"], high["end"]) == (pytest.approx(4, abs=0.75), pytest.approx(8, abs=0.75))
    assert low["end"] <= 4.75 or low["start"] >= 7.25


def test_search_like_a_file_by_its_path(ask, sounds, ids):
    by_path = ask("search_like", path=str(sounds / "high" / "1.wav"), limit=3)
    assert by_path == ask("search_like", recording=ids["high/1.wav"], limit=3)


def test_identify_a_stretch_of_a_recording(printed):
    known = next(row for row in Library(printed).recordings() if row.path.endswith(MUSIC[1].name))
    with connected(printed) as remote:
        first = remote("identify", recording=known.id, start=4, end=10)["matches"][0]
        assert remote("identify", path=known.path, start=4, end=10)["matches"][0] == first
    assert first["recording"] == known.id
    assert first["start"] - first["offset"] == pytest.approx(4, abs=0.1)


def test_identify_without_prints(ask, ids):
    assert "auricle index --prints" in ask.refusal("identify", recording=ids["long.flac"])


def test_search_like_a_file_that_is_not_indexed_yet(place):
    tone = 0.5 * np.sin(2 * np.pi * 4100 * np.arange(2 * RATE) / RATE)
    soundfile.write(place / "sounds" / "new.wav", tone, RATE)
    with connected(place / "library") as remote:
        hits = remote("search_like", path=str(place / "sounds" / "new.wav"))["hits"]
    assert hits[0]["tags"][0]["label"] == "High tone"


def test_search_keeps_to_filter_and_score(ask, ids):
    assert ask("search_like", recording=ids["high/1.wav"], where="duration > 5")["hits"][0]["duration"] == 12
    answer = ask("search_like", recording=ids["high/1.wav"], where="format = 'AIFF'", min_score=0.99)
    assert answer["hits"] == []
    assert answer["best"] < 0.99


def test_search_in_words(tmp_path, sounds, chattering):
    library = tmp_path / "library"
    index = [sys.executable, "-m", "auricle", "index", str(sounds), "--library", str(library), "--workers", "1"]
    subprocess.run([*index, "--ear", "chattering_ear"], env=os.environ | chattering, check=True, capture_output=True)
    with connected(library, **chattering) as remote:
        hits = remote("search_text", query="a tone of 4000 Hz", limit=5)["hits"]
        assert {hit["tags"][0]["label"] for hit in hits} == {"High tone"}
        assert remote("search_text", query="a tone of 4000 Hz", where="path LIKE '%low%'")["hits"] == []


@pytest.mark.weights
def test_with_the_default_ear(tmp_path, monkeypatch):
    """From nothing to a clip: words find a sound, an example finds its like."""
    monkeypatch.delenv("AURICLE_OFFLINE", raising=False)
    folder = Path(__file__).parents[2] / "data" / "demo" / "animals"
    library = tmp_path / "library"
    for words in (["index", str(folder)], ["search", "anything"]):  # a search fetches what words need
        command = [sys.executable, "-m", "auricle", *words, "--library", str(library)]
        subprocess.run(command, check=True, capture_output=True)
    with connected(library) as remote:
        hits = remote("search_text", query="a dog barking")["hits"]
        assert {Path(hit["path"]).name for hit in hits[:2]} == {"two dogs barking.mp3", "kennel.ogg"}
        assert remote("search_text", query="frogs croak at night")["hits"][0]["path"].endswith("frogs in the pond.opus")
        dogs = next(hit for hit in hits if hit["path"].endswith("dogs barking.mp3"))
        alike = remote("search_like", recording=dogs["recording"], start=0, end=3)["hits"]
        assert "kennel.ogg" in {Path(hit["path"]).name for hit in alike}
        assert "Dog" in {tag["label"] for tag in remote("list_tags")["tags"]}
        told = remote("describe_recording", recording=dogs["recording"])
        assert {"Dog", "Bark"} & {event["label"] for event in told["events"]}
        clip, rate = decoded(remote.call("get_clip", recording=dogs["recording"], start=1, end=2))
        assert len(clip) == rate


# --- knowing ----------------------------------------------------------------------------------------------------------


def test_describe_a_recording(ask, ids, indexed, sounds):
    told = ask("describe_recording", recording=ids["long.flac"])
    known = Library(indexed).show(sounds / "long.flac")
    assert told["path"] == known.path
    assert (told["duration"], told["sample_rate"], told["channels"], told["format"]) == (12, RATE, 1, "FLAC")
    assert [tag["label"] for tag in told["tags"]] == [tag.label for tag in known.tags]
    events = Library(indexed).events(sounds / "long.flac")
    assert [(e["start"], e["end"], e["label"]) for e in told["events"]] == [(e.start, e.end, e.label) for e in events]
    assert told["events_total"] == len(events)
    (high,) = (e for e in told["events"] if e["label"] == "High tone")
    assert (high["start"], high["end"]) == (pytest.approx(4, abs=0.5), pytest.approx(8, abs=0.5))
    assert ask("describe_recording", path=known.path) == told


def test_describe_names_every_copy(ask, ids, sounds):
    told = ask("describe_recording", recording=ids["low/1.wav"])
    assert told["paths"] == [str(sounds / "low" / "1.wav"), str(sounds / "low" / "copy of 1.wav")]
    assert told["path"] == told["paths"][0]


def test_describe_keeps_the_most_certain_events(ask, ids):
    everything = ask("describe_recording", recording=ids["long.flac"])
    told = ask("describe_recording", recording=ids["long.flac"], limit=1)
    assert told["events_total"] == everything["events_total"] > 1
    assert told["events"][0]["score"] == max(event["score"] for event in everything["events"])


def test_list_tags(ask, indexed):
    told = ask("list_tags")
    assert told["files"] == len(Library(indexed).recordings())
    assert {tag["label"]: tag["files"] for tag in told["tags"]} == Library(indexed).stats()["tags"]


def test_list_recordings_page_by_page(ask, indexed):
    paths = [recording.path for recording in Library(indexed).recordings()]
    told = [ask("list_recordings", limit=3, offset=offset) for offset in range(0, len(paths) + 1, 3)]
    assert [recording["path"] for page in told for recording in page["recordings"]] == paths
    assert {page["total"] for page in told} == {len(paths)}


def test_list_recordings_that_pass_a_filter(ask):
    told = ask("list_recordings", where="duration > 5")
    assert [Path(recording["path"]).name for recording in told["recordings"]] == ["long.flac"]
    assert told["total"] == 1


# --- hearing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["wav", "flac"])
@pytest.mark.parametrize(("name", "start", "end"), [("long.flac", 3.5, 4.25), ("stereo.aiff", 0.1, 2.0)])
def test_a_clip_is_the_recording_sample_by_sample(ask, ids, sounds, name, start, end, format):
    result = ask.call("get_clip", recording=ids[name], start=start, end=end, format=format)
    samples, rate = decoded(result)
    whole, _ = soundfile.read(sounds / name, dtype="int16", always_2d=True)
    assert rate == RATE
    np.testing.assert_array_equal(samples, whole[round(start * RATE) : round(end * RATE)])
    assert result.content[0].mime_type == f"audio/{format}"
    assert result.structured_content == {
        "recording": ids[name],
        "path": str(sounds / name),
        "start": start,
        "end": end,
        "sample_rate": RATE,
        "channels": whole.shape[1],
        "mime_type": f"audio/{format}",
    }


def test_a_clip_ends_with_the_recording(ask, ids):
    clip = ask("get_clip", recording=ids["long.flac"], start=11, end=13)
    assert (clip["start"], clip["end"]) == (11, 12)


def test_clips_are_bounded(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (62 * 8000, 1))
    soundfile.write(sounds / "slow.wav", noise, 8000)
    soundfile.write(sounds / "fast.wav", noise.reshape(-1, 2), 192_000)
    soundfile.write(sounds / "wide.wav", noise.reshape(-1, 4), RATE)
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(sounds, workers=1)
    id = {Path(recording.path).name: recording.id for recording in library.recordings()}
    with connected(library.path) as remote:
        assert remote("get_clip", recording=id["slow.wav"], start=1, end=61)["end"] == 61
        assert "at most 60 s" in remote.refusal("get_clip", recording=id["slow.wav"], start=0, end=61)
        assert remote("get_clip", recording=id["fast.wav"], start=0, end=1)["sample_rate"] == 192_000
        samples, _ = decoded(remote.call("get_clip", recording=id["wide.wav"], start=0, end=1))
    mixed = soundfile.read(sounds / "wide.wav", RATE, dtype="int16")[0].mean(axis=1)
    assert samples.shape == (RATE, 1)
    assert np.abs(samples[:, 0] - mixed).max() <= 1


# --- refusing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get_clip", {"recording": NOBODY, "start": 0, "end": 1}, "No recording"),
        ("get_clip", {"recording": "../../../etc/passwd", "start": 0, "end": 1}, "recording is wrong"),
        ("get_clip", {"recording": "long", "start": 3, "end": 2}, "end must follow the start"),
        ("get_clip", {"recording": "long", "start": 12, "end": 13}, "12 s long"),
        ("get_clip", {"recording": "long", "start": -1, "end": 1}, "start is wrong"),
        ("get_clip", {"recording": "long", "start": 0, "end": 1, "format": "exe"}, "format is wrong"),
        ("get_clip", {"recording": "long", "start": 0, "end": 1, "path": "/etc/passwd"}, "path is wrong"),
        ("search_like", {"path": "/etc/passwd"}, "outside the indexed folders"),
        ("search_like", {"path": "SOUNDS/../../../../../etc/passwd"}, "outside the indexed folders"),
        ("search_like", {"path": "SOUNDS-and-more/a.wav"}, "outside the indexed folders"),
        ("search_like", {"path": "SOUNDS/gone.wav"}, "cannot be opened"),
        ("search_like", {"path": "SOUNDS/broken.wav"}, "broken.wav"),
        ("search_like", {"path": "SOUNDS/high/1.wav@0-1^2"}, "cannot be opened"),
        ("search_like", {"recording": "long", "start": 5, "end": 4}, "end must follow the start"),
        ("search_like", {"recording": "long", "path": "SOUNDS/long.flac"}, "either recording or path"),
        ("search_like", {}, "either recording or path"),
        ("search_like", {"recording": "long", "where": "nonsense"}, "cannot be used"),
        ("search_like", {"recording": "long", "limit": 0}, "limit is wrong"),
        ("search_text", {"query": ""}, "query is wrong"),
        ("search_text", {"query": " "}, "query is empty"),
        ("describe_recording", {"recording": NOBODY}, "No recording"),
        ("describe_recording", {"path": "/etc/passwd"}, "not indexed"),
        ("list_recordings", {"where": "duration >"}, "cannot be used"),
        ("list_recordings", {"limit": 10**9}, "limit is wrong"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(ask, ids, sounds, tool, arguments, said):
    arguments = {
        name: value.replace("SOUNDS", str(sounds)) if name == "path" else value for name, value in arguments.items()
    }
    if arguments.get("recording") == "long":
        arguments["recording"] = ids["long.flac"]
    refusal = ask.refusal(tool, **arguments)
    assert said in refusal
    assert refusal.endswith(".")
    assert "root:" not in refusal


def test_a_link_put_in_a_files_place_does_not_lead_out(place):
    secret = place / "elsewhere" / "secret.wav"
    secret.parent.mkdir()
    shutil.copy(place / "sounds" / "long.flac", secret)
    victim = place / "sounds" / "high" / "1.wav"
    id = Library(place / "library").show(victim).id
    victim.unlink()
    victim.symlink_to(secret)
    with connected(place / "library") as remote:
        assert "outside the indexed folders" in remote.refusal("get_clip", recording=id, start=0, end=1)
        assert remote.refusal("search_like", path=str(place / "sounds" / ".." / "elsewhere" / "secret.wav"))


def test_a_file_that_is_gone_is_named(place):
    victim = place / "sounds" / "high" / "1.wav"
    id = Library(place / "library").show(victim).id
    victim.unlink()
    with connected(place / "library") as remote:
        refusal = remote.refusal("get_clip", recording=id, start=0, end=1)
        assert str(victim) in refusal
        assert "auricle prune" in refusal
        assert remote("search_like", recording=id)["hits"]  # what was heard of it is still known


def test_without_a_library_the_tools_say_how_to_make_one(tmp_path):
    arguments = {
        "search_text": {"query": "rain"},
        "search_like": {"recording": NOBODY},
        "describe_recording": {"recording": NOBODY},
        "get_clip": {"recording": NOBODY, "start": 0, "end": 1},
    }
    with connected(tmp_path / "none") as remote:
        for tool in READING:
            assert "auricle index FOLDER" in remote.refusal(tool, **arguments.get(tool, {}))


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_label_is_added_beside_what_was_heard(own, ids):
    with connected(own, "--write") as remote:
        before = remote("describe_recording", recording=ids["long.flac"])
        label = remote("add_label", recording=ids["long.flac"], start=4, end=8, label="whistle")
        after = remote("describe_recording", recording=ids["long.flac"])
    assert (label["start"], label["end"], label["label"], label["verdict"]) == (4, 8, "whistle", "drawn")
    assert after == before | {"labels": [label]}
    labels = Labels(Library(own).store)
    assert [known.id for known in labels(ids["long.flac"])] == [label["id"]]
    assert labels.undo()
    assert not labels()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recording": NOBODY}, "No recording"),
        ({"start": 5, "end": 4}, "end must follow the start"),
        ({"start": 20, "end": 21}, "12 s long"),
        ({"label": ""}, "label is wrong"),
        ({"label": "  "}, "label"),
        ({"label": "x" * 201}, "label is wrong"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused(writing, ids, change, said):
    arguments = {"recording": ids["long.flac"], "start": 4, "end": 8, "label": "whistle"} | change
    assert said in writing.refusal("add_label", **arguments)


def test_a_folder_is_indexed_again_with_progress(place):
    shutil.copy(place / "sounds" / "long.flac", place / "sounds" / "low" / "new name.flac")
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(2 * RATE) / RATE)
    soundfile.write(place / "sounds" / "low" / "new.wav", tone, RATE)
    (place / "sounds" / "low" / "new and broken.wav").write_bytes(b"this is no sound")
    told = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    with connected(place / "library", "--write") as remote:
        folder = str(place / "sounds" / "low")
        result = remote.portal.call(
            lambda: remote.client.call_tool("index_folder", {"path": folder}, progress_callback=note)
        )
        report = result.structured_content
        known = remote("list_recordings", where="path LIKE '%low/new%'")
    assert (report["total"], report["heard"], report["unchanged"], report["copies"]) == (6, 1, 3, 1)
    assert report["quarantined"] == 1
    assert "new and broken.wav" in next(iter(report["problems"]))
    assert known["total"] == 2
    assert told
    assert told[-1][0] == told[-1][1]  # bytes dealt with, of those there are


def test_only_indexed_folders_are_indexed(place):
    (place / "elsewhere").mkdir()
    (place / "sounds" / "way out").symlink_to(place / "elsewhere")
    (place / "way in").symlink_to(place / "sounds")
    roots = Library(place / "library").store.roots
    with connected(place / "library", "--write") as remote:
        for path in ("elsewhere", "sounds/way out", "way in", "sounds/..", "sounds-2"):
            refusal = remote.refusal("index_folder", path=str(place / path))
            assert "outside the indexed folders" in refusal
            assert str(place / "sounds") in refusal
        assert "does not exist" in remote.refusal("index_folder", path=str(place / "sounds" / "none"))
    assert Library(place / "library").store.roots == roots


def test_indexing_ends_when_nobody_waits_for_it(tmp_path, chattering):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    silence = np.zeros(RATE)
    soundfile.write(sounds / "0.wav", silence, RATE)
    library = tmp_path / "library"
    index = [sys.executable, "-m", "auricle", "index", str(sounds), "--library", str(library), "--workers", "1"]
    subprocess.run([*index, "--ear", "chattering_ear"], env=os.environ | chattering, check=True, capture_output=True)
    for i in range(1, 200):
        soundfile.write(sounds / f"{i}.wav", silence + i / 1000, RATE)

    with connected(library, "--write", **chattering, SECONDS_TO_HEAR="0.5") as remote:

        async def impatient() -> None:
            with anyio.CancelScope() as waiting:

                async def leave(*progress: object) -> None:
                    waiting.cancel()

                await remote.client.call_tool("index_folder", {"path": str(sounds)}, progress_callback=leave)
            assert waiting.cancelled_caught

        remote.portal.call(impatient)
        assert remote("list_recordings")["total"] < 200  # it answers, and the run has not come to its end
        due = time.monotonic() + 20
        while time.monotonic() < due:
            with suppress(LibraryError), Library(library).store.lock(wait=False):
                return
            time.sleep(0.1)
        pytest.fail("the run goes on")


# --- the process ------------------------------------------------------------------------------------------------------


def test_standard_output_carries_the_protocol_alone(tmp_path, sounds, chattering):
    shutil.copytree(sounds, tmp_path / "sounds")
    library = tmp_path / "library"
    env = os.environ | chattering
    index = [sys.executable, "-m", "auricle", "index", str(tmp_path / "sounds"), "--library", str(library)]
    subprocess.run([*index, "--ear", "chattering_ear"], env=env, check=True, capture_output=True)
    soundfile.write(tmp_path / "sounds" / "new.wav", np.zeros(RATE), RATE)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    like = {"name": "search_like", "arguments": {"path": str(tmp_path / "sounds" / "new.wav")}}
    again = {"name": "index_folder", "arguments": {"path": str(tmp_path / "sounds")}}
    server = [sys.executable, "-m", "auricle", "mcp", "--write", "--library", str(library)]
    with subprocess.Popen(
        server, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write("this is no message\n")
        lines = []
        for id, (method, params) in enumerate([("initialize", hello), ("tools/call", like), ("tools/call", again)], 1):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}) + "\n")
            if id == 1:
                process.stdin.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}) + "\n")
            process.stdin.flush()
            while not lines or lines[-1].get("id") != id:
                lines.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        rest, noise = process.stdout.read(), process.stderr.read()
    assert process.returncode == 0
    assert rest == ""
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert not any(line.get("result", {}).get("isError") for line in lines)
    assert "listening" in noise


def test_without_the_extra_it_is_named():
    code = "import sys; sys.modules['mcp'] = None; from auricle.cli import main; sys.exit(main(['mcp']))"
    done = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "auricle[mcp]" in done.stderr


def test_it_needs_no_fastapi():
    code = "import sys; sys.modules['fastapi'] = None; import auricle.serve.mcp; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
