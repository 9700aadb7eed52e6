"""Torch models and ONNX files as ears."""

import numpy as np
import pytest

from auricle.errors import AuricleError, WeightsError
from auricle.hub.ear import OnnxEar, TorchEar, absolute, open_ear
from auricle.types import Ear

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")


@pytest.fixture
def model():
    import tiny_tagger

    return tiny_tagger.load()


@pytest.fixture
def sound() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, 4000 + 3 * 2000).astype(np.float32)


def test_a_model_is_an_ear(model, sound):
    ear = TorchEar("tiny_tagger@test", model)
    assert isinstance(ear, Ear)
    assert (ear.sample_rate, ear.window, ear.hop, ear.dim) == (8000, 4000, 2000, 32)
    embeddings, scores, _ = ear.hear(sound)
    assert embeddings.shape == (4, 32)
    assert scores is not None
    assert scores.shape == (4, 2)
    assert embeddings.dtype == scores.dtype == np.float32
    with torch.inference_mode():
        third = torch.from_numpy(sound[None, 4000:8000])
        assert np.array_equal(embeddings[2], model.embed(third)[0])
        assert np.array_equal(scores[2], model.tag(third)[0])


def test_a_window_is_the_same_whatever_is_heard_with_it(model, sound):
    ear, together = TorchEar("t", model), TorchEar("t", model, batch=3)
    alone = np.concatenate([ear.hear(sound[i * 2000 : i * 2000 + 4000]).embeddings for i in range(4)])
    assert np.array_equal(ear.hear(sound).embeddings, alone)
    np.testing.assert_allclose(together.hear(sound).embeddings, alone, atol=1e-6)


def test_window_and_hop_can_be_chosen(model, sound):
    ear = TorchEar("t", model, window=0.25, hop=0.25)
    assert len(ear.hear(sound).embeddings) == 5
    with pytest.raises(ValueError, match="window"):
        TorchEar("t", model, window=0.25, hop=0.5)


def test_a_model_that_gives_both_at_once_is_run_once(model, sound, monkeypatch):
    ear = TorchEar("t", model)
    expected = ear.hear(sound)
    monkeypatch.setattr(model, "tag", None)
    heard = ear.hear(sound)
    assert all(np.array_equal(*pair) for pair in zip(heard, expected, strict=True))


def test_a_model_may_give_one_at_a_time_or_know_no_classes(model, sound, monkeypatch):
    expected = TorchEar("t", model).hear(sound)
    monkeypatch.setattr(type(model), "forward", lambda self, wave: self.embed(wave))
    heard = TorchEar("t", model).hear(sound)
    assert all(np.array_equal(*pair) for pair in zip(heard, expected, strict=True))
    model.classes = ()
    assert TorchEar("t", model).hear(sound).scores is None


@pytest.mark.parametrize("shape", [(3999,), (4001,), (4000, 2), (0,)])
def test_only_whole_mono_windows_are_heard(model, shape):
    with pytest.raises(ValueError, match="waveform"):
        TorchEar("t", model).hear(np.zeros(shape, np.float32))


def test_a_system_that_loads_a_model_is_opened_as_an_ear(tmp_path, model):
    from auricle.hub.pretrained import save_pretrained

    assert open_ear("fake_ear").name == "fake_ear@test"
    assert open_ear("tiny_tagger").name == "tiny_tagger"
    folder = save_pretrained(model, tmp_path / "mine")
    own, same = open_ear(f"tiny_tagger={folder}"), open_ear(str(folder))
    assert own.name == same.name
    assert own.name.startswith("tiny_tagger@local-")
    sound = np.ones(own.window, np.float32)
    assert np.array_equal(own.hear(sound).embeddings, same.hear(sound).embeddings)


def test_what_is_no_ear_is_refused(tmp_path):
    with pytest.raises(AuricleError, match="no system"):
        open_ear("no_such_ear")
    with pytest.raises(WeightsError, match="no config"):
        open_ear(f"tiny_tagger={tmp_path}")
    with pytest.raises(WeightsError, match="cannot be read"):
        open_ear(str(tmp_path / "missing.onnx"))
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(WeightsError, match="cannot be read"):
        OnnxEar(tmp_path / "text.onnx")


def test_specs_open_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("yamnet@int8") == "yamnet@int8"
    assert absolute("clap=mine") == f"clap={tmp_path / 'mine'}"
    assert absolute("mine.onnx") == str(tmp_path / "mine.onnx")
    (tmp_path / "mine").mkdir()
    assert absolute("mine") == "mine"
    (tmp_path / "mine" / "config.json").touch()
    assert absolute("mine") == str(tmp_path / "mine")
