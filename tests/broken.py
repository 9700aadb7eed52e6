"""A corpus of broken and strange inputs, made from nothing: what a folder of recordings can hold besides recordings.

``build`` is used by the tests of reading and of indexing. It needs no file, no network and no privilege; what the
system it runs on cannot make (a file one may not read, as root) is left out.
"""

import importlib.util
import io
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from auricle.audio import SUFFIXES

OK = "ok"
RATE = 16_000
SECONDS = 3

Bytes = Iterator[tuple[str, bytes, str]]


def build(folder: Path) -> dict[str, str]:
    """Makes the corpus in ``folder``; returns what must become of each file.

    Returns:
        Path relative to ``folder`` -> "ok" if it must be readable, else a part of the reason to be shown. Folders are
        among the keys, for those who read them as files; so are links and names that are not UTF-8.
    """
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for family in (_empty, _cut, _damaged, _misnamed, _lying_headers, _odd_samples, _odd_chunks, _mpeg, _containers):
        for name, content, outcome in family():
            (folder / name).write_bytes(content)
            expected[name] = outcome
    expected.update(_odd_names(folder))
    expected.update(_no_files(folder))
    return expected


def sound(seconds: float = SECONDS, channels: int = 2, rate: int = RATE) -> np.ndarray:
    """A tone with noise, different on each channel: float32 [samples, channels] in [-0.5, 0.5]."""
    noise = np.random.default_rng(7).uniform(-0.2, 0.2, (round(seconds * rate), channels))
    time = np.arange(len(noise))[:, None] / rate
    return (0.3 * np.sin(2 * np.pi * 440 * time * np.arange(1, channels + 1)) + noise).astype(np.float32)


def encoded(container: str, subtype: str | None = None, samples: np.ndarray | None = None, rate: int = RATE) -> bytes:
    """``samples`` (a default sound if None) as the bytes of a file."""
    samples = sound() if samples is None else samples
    target = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(target, "w", rate, channels, subtype, format=container) as file:
        file.write(samples)
    return target.getvalue()


def wav(
    data: bytes = b"\1\0\2\0" * 2000,
    *,
    codec: int = 1,
    channels: int = 2,
    rate: int = RATE,
    bits: int = 16,
    align: int | None = None,
    size: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A WAVE file whose header says whatever is asked; ``size`` is what it claims of ``data``."""
    align = channels * bits // 8 if align is None else align
    form = struct.pack("<HHIIHH", codec, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    body = b"WAVE" + chunk(b"fmt ", form) + before
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2) + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def _empty() -> Bytes:
    for suffix in ("wav", "flac", "ogg", "mp3", "m4a"):
        yield f"empty.{suffix}", b"", "empty (0 bytes)"
    yield "one byte.wav", b"R", "No sound could be found"
    yield "header only.wav", wav(b""), "holds no samples"
    yield "header and tags only.wav", wav(b"", after=chunk(b"LIST", b"INFO" + chunk(b"INAM", b"x"))), "holds no samples"
    yield "header only.flac", encoded("FLAC")[:44], "holds no samples"
    yield "no samples.aiff", encoded("AIFF", samples=np.zeros((0, 1), np.float32)), "holds no samples"
    yield "zeros.wav", bytes(50_000), "No sound could be found"


def _cut() -> Bytes:
    """Files that end too early: read up to there, refused when nothing is left."""
    kinds = {
        "wav": ("WAV", None), "flac": ("FLAC", None), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
        "mp3": ("MP3", None), "aiff": ("AIFF", None), "au": ("AU", None), "w64": ("W64", None), "rf64": ("RF64", None),
    }  # fmt: skip
    for suffix, (container, subtype) in kinds.items():
        whole = encoded(container, subtype)
        yield f"cut in its magic.{suffix}", whole[:3], "No sound could be found"
        yield f"cut in its header.{suffix}", whole[:20], "No sound could be found"
        yield f"cut in half.{suffix}", whole[: len(whole) // 2], OK
        yield f"cut at its last byte.{suffix}", whole[:-1], OK
    yield "cut at its last byte.caf", encoded("CAF")[:-1], OK
    yield "cut in its first frame.flac", encoded("FLAC")[:200], "holds no samples"
    yield "cut in its first page.ogg", encoded("OGG", "VORBIS")[:3000], "No sound could be found"


def _damaged() -> Bytes:
    """Files with something wrong in their middle."""
    for suffix, container, subtype in (("flac", "FLAC", None), ("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS")):
        whole = encoded(container, subtype)
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :]
        yield f"one byte wrong.{suffix}", flipped, "is damaged"  # a bad CRC
        yield f"a hole.{suffix}", whole[:middle] + whole[middle + 5000 :], "is damaged"
        yield f"zeros inside.{suffix}", whole[:middle] + bytes(5000) + whole[middle + 5000 :], "is damaged"
    yield "noise last.flac", encoded("FLAC") + noise(50_000), OK
    whole = encoded("WAV")
    yield "noise inside.wav", whole[:40_000] + noise(5000) + whole[45_000:], OK  # PCM has no way to know


def _misnamed() -> Bytes:
    yield "flac.wav", encoded("FLAC"), OK
    yield "wav.mp3", encoded("WAV"), OK
    yield "ogg.flac", encoded("OGG", "VORBIS"), OK
    yield "mp3.wav", encoded("MP3"), OK
    yield "text.wav", b"Dear diary, today I heard a blackbird.\n" * 200, "No sound could be found"
    yield "page.mp3", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "No sound could be found"
    yield "playlist.ogg", b"#EXTM3U\n#EXTINF:9,\nflac.wav\n#EXT-X-ENDLIST\n", "No sound could be found"
    yield "script.wav", b"ffconcat version 1.0\nfile flac.wav\n", "No sound could be found"
    yield "picture.wav", b"\x89PNG\r\n\x1a\n" + noise(3000), "No sound could be found"
    yield "archive.flac", b"PK\3\4" + noise(3000), "No sound could be found"
    for seed, suffix in enumerate(sorted(SUFFIXES)):
        yield f"random{suffix}", noise(20_000, seed), "No sound could be found"


def _lying_headers() -> Bytes:
    yield "claims 4 GiB.wav", wav(size=0xFFFFFFF0), OK
    yield "claims to stream.wav", wav(size=0xFFFFFFFF), OK
    yield "claims nothing.wav", wav(size=0), OK  # what a recorder leaves when its battery dies
    yield "no channels.wav", wav(channels=0, align=2), "No sound could be found"
    yield "65535 channels.wav", wav(channels=65535, align=0), "No sound could be found"
    yield "1024 channels.wav", wav(bytes(2048 * 300), channels=1024), OK
    yield "no rate.wav", wav(rate=0), "sample rate"
    yield "1 Hz.wav", wav(rate=1), "sample rate of 1 Hz"
    yield "2 GHz.wav", wav(rate=2**31 - 1), "sample rate"
    yield "negative rate.wav", wav(rate=2**32 - 1), "sample rate"
    yield "no bits.wav", wav(bits=0, align=4), "No sound could be found"
    yield "77 bits.wav", wav(bits=77), "No sound could be found"
    yield "unknown codec.wav", wav(codec=0x7777), "No sound could be found"
    yield "24 bits in odd blocks.wav", wav(bytes(range(250)) * 30, bits=24, channels=1, align=3), OK
    yield "24 bits in blocks of 5.wav", wav(bytes(range(250)) * 30, bits=24, channels=1, align=5), OK
    flac = bytearray(encoded("FLAC"))
    flac[21:26] = bytes([flac[21] | 0x0F, 255, 255, 255, 255])  # STREAMINFO: 2**36 - 1 samples, 50 days
    yield "claims 50 days.flac", bytes(flac), OK
    flac[21:26] = bytes([flac[21] & 0xF0, 0, 0, 0, 0])  # 0: unknown
    yield "claims no length.flac", bytes(flac), OK
    flac[18:21] = b"\xff\xff" + bytes([flac[20] | 0xF0])  # 1048575 Hz
    yield "1 MHz.flac", bytes(flac), "sample rate of 1048575 Hz"
    aiff = bytearray(encoded("AIFF"))
    at = aiff.index(b"COMM") + 8
    aiff[at : at + 6] = struct.pack(">HI", 2, 2**32 - 1)
    yield "claims 4 billion frames.aiff", bytes(aiff), OK
    au = bytearray(encoded("AU"))
    au[20:24] = struct.pack(">I", 60_000)
    yield "60000 channels.au", bytes(au), "No sound could be found"
    au[20:24] = struct.pack(">I", 2)
    au[4:8] = struct.pack(">I", 2**31 - 8)
    yield "data beyond the end.au", bytes(au), "holds no samples"


def _odd_samples() -> Bytes:
    strange = sound()
    yield "one sample.wav", encoded("WAV", samples=strange[:1]), OK
    yield "one sample.flac", encoded("FLAC", samples=strange[:1]), OK
    yield "one sample.ogg", encoded("OGG", "VORBIS", samples=strange[:1]), OK
    yield "silence.wav", encoded("WAV", samples=strange * 0), OK
    yield "all NaN.wav", encoded("WAV", "FLOAT", strange * np.nan), OK
    yield "all infinite.wav", encoded("WAV", "FLOAT", np.copysign(np.inf, strange)), OK
    yield "some NaN.wav", encoded("WAV", "DOUBLE", np.where(strange > 0.2, np.nan, strange)), OK
    yield "huge.wav", encoded("WAV", "DOUBLE", strange.astype(np.float64) * 1e300), OK
    yield "half a frame more.wav", wav(b"\1\0\2\0" * 2000 + b"\7"), OK
    yield "768 kHz.wav", encoded("WAV", samples=strange, rate=768_000), OK
    yield "1 kHz.wav", encoded("WAV", samples=strange, rate=1000), OK


def _odd_chunks() -> Bytes:
    loop = b"LIST" + struct.pack("<i", -16) + b"INFO"
    yield "chunk size leads back.wav", wav(before=loop), "No sound could be found"
    yield "chunk beyond the end.wav", wav(after=b"guan" + struct.pack("<I", 2**31)), OK
    yield "thousands of chunks.wav", wav(after=chunk(b"junk", b"") * 20_000), OK
    yield "chunks of odd size.wav", wav(before=chunk(b"junk", b"abc"), after=chunk(b"junk", b"x")), OK
    yield (
        "GUANO garbage.wav",
        wav(after=chunk(b"guan", b"GUANO|Version\xff\xfe:::\nTimestamp: soon\n" + noise(999))),
        OK,
    )
    yield "bext garbage.wav", wav(before=chunk(b"bext", noise(602))), OK
    yield "short bext.wav", wav(before=chunk(b"bext", b"x")), OK
    yield "INFO garbage.wav", wav(after=chunk(b"LIST", b"INFO" + noise(200))), OK
    yield "data first.wav", b"RIFF\x24\x10\0\0WAVE" + chunk(b"data", bytes(4096)), "No sound could be found"


def _mpeg() -> Bytes:
    tag = b"ID3\4\0\0\0\0\7\x68" + bytes(1000)
    whole = encoded("MP3")
    yield "only a tag.mp3", tag, "No sound could be found"
    yield "claims a huge tag.mp3", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + whole, "No sound could be found"
    yield "tag first.mp3", tag + whole, OK
    yield "tag last.mp3", whole + b"TAG" + b"x" * 125, OK
    yield "zeros first.mp3", bytes(700) + whole, OK
    yield "noise last.mp3", whole + noise(4000), OK
    yield "twice.mp3", whole + whole, OK
    yield "a hole.mp3", whole[:9000] + bytes(3000) + whole[12_000:], "is damaged"


def _containers() -> Bytes:
    """What FFmpeg reads, through PyAV; without it the reason is that the extra is missing."""
    if importlib.util.find_spec("av") is None:
        return
    mp4, mkv = av_encoded("ipod", "aac"), av_encoded("matroska", "aac")
    yield "good.m4a", mp4, OK
    yield "m4a.wav", mp4, OK
    yield "m4a.mp3", mp4, OK
    yield "cut in half.m4a", mp4[: len(mp4) // 2], "No sound could be found"  # its index stood at its end
    yield "noise inside.m4a", mp4[:9000] + noise(4000) + mp4[13_000:], "is damaged"
    yield "cut in half.mkv", mkv[: len(mkv) // 2], OK
    yield "cut in its header.mkv", mkv[:300], "No sound could be found"
    yield "picture only.mp4", av_encoded("mp4", None), "no audio track"
    yield "playlist.m4a", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ngood.m4a\n", "No sound could be found"


def av_encoded(container: str, codec: str | None, samples: np.ndarray | None = None, rate: int = 44_100, **tags: str):
    """``samples`` [samples, channels] in one of FFmpeg's containers, as bytes; with no ``codec``, a picture only."""
    import av

    target = io.BytesIO()
    with av.open(target, "w", format=container) as file:
        file.metadata.update(tags)
        if codec is None:
            stream = file.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 32
            stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        else:
            samples = sound(rate=rate) if samples is None else samples
            layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[samples.shape[1]]
            stream = file.add_stream(codec, rate=rate, layout=layout)
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
            frame.sample_rate, frame.pts = rate, 0
        for part in (frame, None):
            file.mux(stream.encode(part))
    return target.getvalue()


def _odd_names(folder: Path) -> Iterator[tuple[str, str]]:
    names = [
        "u\u0308 combining.wav", "שלום \u202egpj.wav", "🎧🐦.wav", "new\nline.wav", "-rf.wav", "  spaces  .wav",
        "quote'\"`$HOME.wav", "tab\t.wav", "per%20cent.wav", "a;b&c|d.wav", ".hidden.wav", "back\\slash.wav", "{0}.wav",
        "[*?].wav", "dots...wav", "UPPER.WAV", "x" * 251 + ".wav", "esc\x1b[31m.wav",
        os.fsdecode(b"not \xff\xfe UTF-8.wav"),
    ]  # fmt: skip
    content = encoded("WAV")
    deep = Path(*["deep"] * 5, *["d" * 200] * 30)
    while len(os.fsencode(folder / deep / "x.wav")) > 4000:  # the system's limit is 4096
        deep = deep.parent
    for name in [*names, str(deep / "x.wav")]:
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        except (OSError, UnicodeEncodeError):  # some systems take only UTF-8, or shorter paths
            continue
        yield name, OK


def _no_files(folder: Path) -> Iterator[tuple[str, str]]:
    (folder / "folder.wav").mkdir()
    yield "folder.wav", "a folder"
    (folder / "empty folder").mkdir()
    yield "empty folder", "a folder"
    (folder / "target.wav").write_bytes(encoded("WAV"))
    links = {
        "link.wav": ("target.wav", OK),
        "dangling.wav": ("nowhere.wav", "does not exist"),
        "loop.wav": ("loop.wav", "leads back to itself"),
        "device.wav": (os.devnull, "a device"),
    }
    for name, (target, outcome) in links.items():
        os.symlink(target, folder / name)
        yield name, outcome
    os.mkfifo(folder / "pipe.wav")
    yield "pipe.wav", "a named pipe"
    if os.geteuid() != 0:  # root may read everything
        (folder / "forbidden.wav").write_bytes(encoded("WAV"))
        os.chmod(folder / "forbidden.wav", 0)
        yield "forbidden.wav", "may not be read"
