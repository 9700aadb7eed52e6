"""Clips are what the manifest says, at the rate and length asked for, and the same however they are asked for."""

import pickle
import sys

import numpy as np
import pytest

from auricle import audio
from auricle.data import Clips, Manifest
from auricle.data.clips import fit
from auricle.errors import AudioError


@pytest.fixture
def manifest(tmp_path, tone):
    tone(tmp_path / "a.wav", 2.0, 300)
    tone(tmp_path / "b.flac", 0.25, 500)
    rows = [
        {"path": "a.wav", "labels": ["low"]},
        {"path": "b.flac", "labels": ["high"]},
        {"path": "a.wav", "labels": ["low"], "start": 0.5, "end": 1.5},
    ]
    return Manifest.from_rows(rows, tmp_path, ["low", "high"])


def test_items(manifest):
    clips = Clips(manifest, 16_000, 1.0)
    assert len(clips) == 3
    item = clips[1]
    assert item["wave"].dtype == np.float32
    assert item["wave"].shape == (16_000,)
    assert np.all(item["wave"][4000:] == 0)
    assert (item["target"], item["index"]) == (1, 1)
    assert clips[-1]["index"] == 2
    assert Clips(manifest, 8000, 1.0, multilabel=True)[0]["target"].tolist() == [1, 0]
    assert "target" not in Clips(Manifest.from_rows([{"path": "a.wav"}], manifest.root), 8000, 0.1)[0]
    with pytest.raises(IndexError):
        clips[3]


def test_crops_are_where_they_should_be(manifest):
    whole = audio.read(manifest.paths[0], 8000)[0]
    assert np.array_equal(Clips(manifest, 8000, 0.5, "start")[0]["wave"], whole[:4000])
    assert np.array_equal(Clips(manifest, 8000, 0.5, "centre")[0]["wave"], whole[6000:10_000])
    assert np.array_equal(Clips(manifest, 8000, None)[2]["wave"], whole[4000:12_000])
    assert np.array_equal(Clips(manifest, 8000, 0.5, "start")[2]["wave"], whole[4000:8000])


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_the_cache_changes_nothing(manifest, tmp_path, rate):
    kinds = [Clips(manifest, rate, 0.7, seed=3, cache=cache) for cache in (True, False, tmp_path / "cache")]
    for _ in range(2):
        for index in range(3):
            memory, none, disk = (kind[index]["wave"] for kind in kinds)
            assert np.array_equal(memory, disk)
            assert np.allclose(memory, none, atol=1e-4)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 3


def test_seed_epoch_and_index_decide(manifest):
    def wave(seed, epoch, index=0):
        clips = Clips(manifest, 8000, 0.5, seed=seed)
        clips.set_epoch(epoch)
        return clips[index]["wave"]

    assert np.array_equal(wave(1, 2), wave(1, 2))
    assert not np.array_equal(wave(1, 2), wave(1, 3))
    assert not np.array_equal(wave(1, 2), wave(2, 2))
    clips = Clips(manifest, 8000, 0.5, seed=1)
    before = [clips[index]["wave"] for index in (0, 2)]
    assert np.array_equal(pickle.loads(pickle.dumps(clips))[2]["wave"], before[1])


def test_augmentation_gets_its_own_copy_and_may_change_the_length(manifest):
    def louder(wave, rate, rng):
        wave *= 2
        return np.concatenate([wave, wave])

    clips = Clips(manifest, 8000, 0.5, "start", augment=[louder])
    assert np.array_equal(clips[0]["wave"], clips[0]["wave"])
    assert clips[0]["wave"].shape == (4000,)
    assert np.abs(clips[0]["wave"]).max() == pytest.approx(1.0, abs=0.01)


def test_fit():
    wave = np.arange(3, dtype=np.float32)
    assert fit(wave, 2).tolist() == [0, 1]
    assert fit(wave, 5).tolist() == [0, 1, 2, 0, 0]
    assert fit(wave, 7, "repeat").tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_a_missing_file_is_named(manifest):
    manifest = Manifest.from_rows([{"path": "gone.wav", "labels": ["low"]}], manifest.root)
    with pytest.raises(AudioError, match=r"gone\.wav"):
        Clips(manifest, 8000, 1.0)[0]


def test_nothing_here_needs_torch():
    import subprocess

    code = "import sys, auricle.data.sets, auricle.data.augment, auricle.data.clips; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
