"""The page's pure modules, run where they run: in the browser."""

import io
import math

import pytest
import soundfile
from playwright.sync_api import Page

from tests.page.conftest import Site


@pytest.fixture
def call(page: Page, site: Site):
    """``call("format.js", "clock", 83.25)``: what a function of a module answers."""
    page.goto(site.at("search"))
    source = "async ([module, name, args]) => (await import(`/static/js/${module}`))[name](...args)"
    return lambda module, name, *args: page.evaluate(source, [module, name, list(args)])


def test_times(call):
    cases = {0: "0:00.0", 3.46: "0:03.5", 59.97: "1:00.0", 83.25: "1:23.3", 3599.96: "1:00:00", 3723: "1:02:03"}
    assert {t: call("format.js", "clock", t) for t in cases} == cases
    assert [call("format.js", "length", t) for t in (2.44, 89, 90, 5400, 360000)] == [
        "2.4 s",
        "89 s",
        "2 min",
        "1 h 30 min",
        "100 h",
    ]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("3.5-6", 3.5, 6),
        ("@3.5 - 6 s", 3.5, 6),
        ("1:03–1:10", 63, 70),
        ("2-", 2, None),
        ("-4", 0, 4),
        ("1:00:00-1:00:05", 3600, 3605),
    ],
)
def test_a_stretch_of_time_is_read(call, text, start, end):
    assert call("format.js", "parseSpan", text) == {"start": start, "end": end}


@pytest.mark.parametrize("text", ["", "-", "6-3.5", "dog-cat", "3", "a 3-6", "1.2.3-4", "3-6-9"])
def test_what_is_no_stretch_of_time(call, text):
    assert call("format.js", "parseSpan", text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dog barking", [("dog barking", 1)]),
        ("rain^2 + thunder - speech", [("rain", 2), ("thunder", 1), ("speech", -1)]),
        ("- wind^0.5 + birds", [("wind", -0.5), ("birds", 1)]),
        ("cock-a-doodle-doo", [("cock-a-doodle-doo", 1)]),
        ("c++ + x^y", [("c++", 1), ("x^y", 1)]),
        ("  ", []),
    ],
)
def test_phrases(call, text, words):
    assert call("query.js", "parseWords", text) == [{"text": t, "weight": w} for t, w in words]


def test_a_question_survives_the_address_bar(page: Page, site: Site):
    page.goto(site.at("search"))
    question = {
        "text": "rain + thunder & more?",
        "like": [{"recording": "a" * 32, "start": 3.5, "end": 6.25, "weight": 2}, {"upload": "x_Y-9", "weight": 1}],
        "without": [{"recording": "b" * 32, "start": 0, "end": 1, "weight": 0.5}],
        "filters": {
            "tags": ["Dog", "A, b & c"],
            "folder": "birds/é",
            "min_duration": "1",
            "max_duration": "9.5",
            "after": "2020-01-01",
            "before": "2021-01-01",
        },
        "hidden": ["c" * 32],
        "single": True,
        "all": False,
    }
    there_and_back = """async (question) => {
        const { fromParams, toParams } = await import("/static/js/query.js");
        return fromParams(new URLSearchParams(toParams(question).toString()));
    }"""
    assert page.evaluate(there_and_back, question) == question


def test_frequencies_lie_where_the_server_draws_them(page: Page, site: Site):
    page.goto(site.at("search"))
    place = """async ([scale, top, f]) => {
        const { FrequencyAxis } = await import("/static/js/frequency.js");
        const axis = new FrequencyAxis(scale, top);
        return [axis.share(f), axis.at(axis.share(f))];
    }"""
    share, back = page.evaluate(place, ["mel", 8000, 1000])
    assert share == pytest.approx(math.log(1 + 1000 / 700) / math.log(1 + 8000 / 700))
    assert back == pytest.approx(1000)
    assert page.evaluate(place, ["linear", 8000, 1000]) == pytest.approx([0.125, 1000])


def test_recordings_from_the_microphone_are_wav_files(page: Page, site: Site):
    page.goto(site.at("search"))
    encode = """async () => {
        const { encodeWav } = await import("/static/js/record.js");
        const blob = encodeWav([new Float32Array([0, 0.5, -2]), new Float32Array([1])], 48000);
        return [...new Uint8Array(await blob.arrayBuffer())];
    }"""
    samples, rate = soundfile.read(io.BytesIO(bytes(page.evaluate(encode))), dtype="int16")
    assert rate == 48_000
    assert samples.tolist() == [0, 16384, -32767, 32767]
