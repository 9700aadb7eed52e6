"""Whatever a file holds, reading it ends soon, in little memory, with sound or with a reason."""

import multiprocessing
import os
import pickle
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from auricle.audio import metadata, probe, read
from auricle.errors import AudioError
from tests.broken import OK, build

MEMORY = 500  # MiB, of the whole process
PATIENCE = 20  # seconds a file; each takes hundredths, but machines can be busy


class Heard(NamedTuple):
    """What came of reading, of probing, and of looking for tags; and the seconds it all took."""

    read: str
    probed: str
    tags: str
    seconds: float


def listen(path: Path) -> Heard:
    begun = time.perf_counter()
    outcomes = []
    for attempt in (lambda: read(path, 16_000), lambda: probe(path), lambda: metadata(path)):
        try:
            attempt()
            outcomes.append(OK)
        except AudioError as error:
            outcomes.append(str(error))
    return Heard(*outcomes, time.perf_counter() - begun)


def listen_to_all(paths: list[Path]) -> tuple[list[Heard], float]:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the MP3 decoder complains on stderr
    heard = [listen(path) for path in paths]
    return heard, peak()


def peak() -> float:
    """Most memory this process has held, MiB; Linux's ``ru_maxrss`` counts what the parent held before the exec."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def refuse(path: str) -> None:
    raise AudioError(path, "It is damaged", "Mend it")


@pytest.fixture(scope="module")
def alone():
    """A process of its own, so that memory and stderr are its own too."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_every_broken_file_is_read_or_refused_with_its_reason(tmp_path, alone):
    expected = build(tmp_path / "corpus")
    assert len(expected) >= 60
    heard, memory = alone.submit(listen_to_all, [tmp_path / "corpus" / name for name in expected]).result()

    surprises = {}
    for (name, wanted), each in zip(expected.items(), heard, strict=True):
        as_wanted = each[:3] == (OK, OK, OK) if wanted == OK else each.read != OK and wanted in each.read
        if not as_wanted or each.seconds > PATIENCE:
            surprises[name] = (wanted, each)
    assert not surprises
    assert memory < MEMORY


def test_reasons_name_the_file_and_a_remedy(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(AudioError) as caught:
        read(tmp_path / "a.wav")
    assert str(caught.value) == (
        f"{tmp_path / 'a.wav'}: The file is empty (0 bytes). Leave it out, or restore it from a good copy."
    )


def test_an_error_survives_the_way_between_processes(alone):
    with pytest.raises(AudioError) as caught:
        alone.submit(refuse, "a\udcff.wav").result()
    assert (caught.value.path, caught.value.problem, caught.value.remedy) == ("a\udcff.wav", "It is damaged", "Mend it")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere.wav", "There is no such file"),
        ("a\0b.wav", "NUL character"),
        ("x" * 300 + ".wav", "longer than the system allows"),
        ("/".join(["d"] * 5000) + ".wav", "longer than the system allows"),
        (__file__ + "/a.wav", "not a folder"),
    ],
)
def test_paths_that_lead_nowhere(path, reason):
    for attempt in (probe, read, metadata):
        with pytest.raises(AudioError, match=reason):
            attempt(path)


def test_a_failing_disk_is_named(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="The disk failed"):
        probe(tmp_path / "a.wav")
