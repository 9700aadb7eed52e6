"""Range requests against the file itself, and against a slow reading of RFC 9110."""

from contextlib import suppress
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from auricle.serve.errors import RefusalError
from auricle.serve.ranges import disposition, not_modified, ranged
from tests.serve.conftest import BASE, problem

DATA = bytes(range(256)) * 4


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": pairs})


def asked(**headers: str):
    """Status and bytes that ``ranged`` answers with."""
    found = {}

    def chunks(first, last):
        found["bytes"] = DATA[first:last]
        return iter([found["bytes"]])

    answer = ranged(request(**headers), len(DATA), chunks, media_type="audio/wav", tag='"v1"')
    assert int(answer.headers["content-length"]) == len(found["bytes"])
    return answer, found["bytes"]


@given(st.integers(0, 1500), st.integers(0, 1500))
def test_ranges_are_slices(first, last):
    if last < first:
        answer, data = asked(range=f"bytes={first}-{last}")
        assert (answer.status_code, data) == (200, DATA)  # makes no sense, so it is ignored
    elif first >= len(DATA):
        with pytest.raises(RefusalError) as refusal:
            asked(range=f"bytes={first}-{last}")
        assert (refusal.value.status_code, refusal.value.headers) == (416, {"content-range": f"bytes */{len(DATA)}"})
    else:
        answer, data = asked(range=f"bytes={first}-{last}")
        assert (answer.status_code, data) == (206, DATA[first : last + 1])
        assert answer.headers["content-range"] == f"bytes {first}-{min(last, len(DATA) - 1)}/{len(DATA)}"


@given(st.integers(1, 3000))
def test_ranges_may_be_open(count):
    _, data = asked(range=f"bytes=-{count}")
    assert data == DATA[-count:]
    if count < len(DATA):
        _, data = asked(range=f"bytes={count}-")
        assert data == DATA[count:]


@given(st.text(max_size=30).filter(lambda text: "," not in text))
@settings(max_examples=200)
def test_whatever_a_header_says_is_answered(text):
    with suppress(RefusalError):
        answer, data = asked(range="bytes=" + text.encode("utf-8", "replace").decode("latin-1"))
        assert answer.status_code in (200, 206)
        assert data in DATA


@pytest.mark.parametrize("header", ["items=0-5", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2-3", "bytes=--1"])
def test_what_is_no_range_is_ignored(header):
    answer, data = asked(range=header)
    assert (answer.status_code, data) == (200, DATA)


@pytest.mark.parametrize(("condition", "status"), [('"v1"', 206), ('"v2"', 200), ('W/"v1"', 200), ("Wed, 21 Oct", 200)])
def test_a_range_of_another_version_is_not_sent(condition, status):
    assert asked(range="bytes=0-9", if_range=condition)[0].status_code == status


@pytest.mark.parametrize("known", ['"v1"', 'W/"v1"', '"v0", "v1"', "*"])
def test_what_the_client_has_is_not_sent(known):
    answer = not_modified(request(if_none_match=known), '"v1"')
    assert answer is not None
    assert (answer.status_code, answer.headers["etag"]) == (304, '"v1"')
    assert not_modified(request(if_none_match='"v0"'), '"v1"') is None


@pytest.mark.parametrize("name", ["a.wav", 'quote".wav', "naïve 🎧.wav", "line\r\nSet-Cookie: x.wav", "a;b\\c.wav"])
def test_a_download_keeps_its_name_and_adds_no_header(name):
    header = disposition(name)
    header.encode("latin-1")
    assert "\r" not in header
    assert "\n" not in header
    assert unquote(header.partition("filename*=UTF-8''")[2]) == name
    plain = header.partition('"')[2].partition('"')[0]
    assert "\\" not in plain  # nothing that would need quoting


def test_files_are_sent_in_ranges(client, ids, sounds):
    whole = (sounds / "long.flac").read_bytes()
    url = f"{BASE}/recordings/{ids['long.flac']}/audio"
    answer = client.get(url)
    assert (answer.status_code, answer.content) == (200, whole)
    assert (answer.headers["content-type"], answer.headers["accept-ranges"]) == ("audio/flac", "bytes")
    for span in ("bytes=0-99", "bytes=1000-", "bytes=-5"):
        part = client.get(url, headers={"range": span})
        assert part.status_code == 206
        first, last = map(int, part.headers["content-range"].split()[1].split("/")[0].split("-"))
        assert part.content == whole[first : last + 1]
    assert "behind the end" in problem(client.get(url, headers={"range": f"bytes={len(whole)}-"}), 416)
    several = client.get(url, headers={"range": "bytes=0-1,5-6"})
    assert "one range" in several.json()["error"]["remedy"]
    assert "Several" in problem(several, 416)
    tag = answer.headers["etag"]
    assert client.get(url, headers={"range": "bytes=0-9", "if-range": tag}).status_code == 206
    assert client.get(url, headers={"range": "bytes=0-9", "if-range": '"old"'}).status_code == 200
    unchanged = client.get(url, headers={"if-none-match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    only_head = client.head(url)
    assert (only_head.content, int(only_head.headers["content-length"])) == (b"", len(whole))
