"""MPEG files whose length libsndfile would misjudge are decoded to their last frame."""

import numpy as np
import pytest

from auricle.audio import probe, read
from auricle.audio._file import open_regular
from auricle.audio._mpeg import _frame, repaired
from tests.broken import encoded, noise, sound

FRAME = 576  # samples of an MPEG-2 layer III frame
MPEG2 = 16_000


@pytest.fixture(scope="module")
def whole():
    """A variable-rate MP3 of 6 s with its Xing header: loud noise after two seconds of silence."""
    samples = np.concatenate([np.zeros((2 * MPEG2, 2)), sound(4.0)]).astype(np.float32)
    return encoded("MP3", samples=samples)


@pytest.fixture(scope="module")
def bare(whole):
    """The same without the frame that holds the header."""
    return whole[_frame(int.from_bytes(whole[:4])).size :]


def heard(tmp_path, content):
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    waveform, rate = read(path)
    assert rate == MPEG2
    return waveform, probe(path).frames


@pytest.mark.parametrize(
    ("header", "size", "samples"),
    [
        (0xFFFB9064, 417, 1152),  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 144 × 128000 / 44100
        (0xFFFB9264, 418, 1152),  # with its padding bit
        (0xFFFBE4C4, 960, 1152),  # 320 kbit/s, 48 kHz
        (0xFFF38844, 288, 576),  # MPEG-2 layer III, 64 kbit/s, 16 kHz: 72 × 64000 / 16000
        (0xFFE38844, 576, 576),  # MPEG-2.5 layer III, 64 kbit/s, 8 kHz
        (0xFFFDA404, 576, 1152),  # MPEG-1 layer II, 192 kbit/s, 48 kHz
        (0xFFFFC404, 384, 384),  # MPEG-1 layer I, 384 kbit/s, 48 kHz: 12 × 384000 / 48000 × 4
    ],
)
def test_frame_headers(header, size, samples):
    assert _frame(header) == (size, samples)


@pytest.mark.parametrize("header", [0, 0xFFFBF064, 0xFFFB0064, 0xFFFB9C64, 0xFFEB9064, 0xFFF99064, 0x7FFB9064])
def test_what_is_no_frame_header(header):
    assert _frame(header) is None


def test_a_sound_header_is_trusted(tmp_path, whole):
    (tmp_path / "a.mp3").write_bytes(b"ID3\4\0\0\0\0\7\x68" + bytes(1000) + whole)
    with open_regular(tmp_path / "a.mp3") as file:
        assert repaired(file) is None
        assert file.tell() == 0
    assert heard(tmp_path, whole)[1] == 6 * MPEG2


@pytest.mark.parametrize("before", [b"", b"ID3\4\0\0\0\0\7\x68" + bytes(1000), bytes(500), noise(500)])
@pytest.mark.parametrize("after", [b"", b"TAG" + b"x" * 125, noise(5000)])
def test_a_stream_without_a_length_is_heard_whole(tmp_path, bare, before, after):
    waveform, frames = heard(tmp_path, before + bare + after)
    assert len(waveform) == frames
    assert 6 * MPEG2 <= frames < 6 * MPEG2 + 4 * FRAME  # the encoder's own delay and the last frame's rest
    assert np.abs(waveform[-MPEG2 // 2 :]).max() > 0.2


def test_joined_files_are_heard_to_the_end_of_the_last(tmp_path, whole, bare):
    waveform, frames = heard(tmp_path, whole + whole)
    alone, _ = heard(tmp_path, bare)
    assert len(waveform) == frames == 2 * len(alone) + FRAME  # the second header's frame is silence
    np.testing.assert_allclose(waveform[: len(alone) - FRAME], alone[:-FRAME], atol=1e-6)
    np.testing.assert_allclose(waveform[len(alone) + 3 * FRAME :], alone[2 * FRAME :], atol=1e-6)


def test_an_excerpt_of_a_stream_without_a_length(tmp_path, bare):
    whole, _ = heard(tmp_path, bare)
    excerpt, _ = read(tmp_path / "a.mp3", start=3.3, end=4.4)
    np.testing.assert_allclose(excerpt, whole[round(3.3 * MPEG2) : round(4.4 * MPEG2)], rtol=0, atol=2e-7)
