"""The HEAR interface, as its validator asks: names, shapes, milliseconds."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from auricle.hub import hear
from auricle.hub.ear import open_ear

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")


@pytest.mark.parametrize("name", ["fake_ear", "tiny_tagger"])
def test_the_interface_of_the_benchmark(name):
    module = EntryPoint("ear", f"auricle.hub.hear:{name}", "models").load()
    model = module.load_model()
    assert isinstance(model, torch.nn.Module)
    assert isinstance(model.sample_rate, int)
    audio = torch.rand(3, model.sample_rate * 2) * 2 - 1
    scenes = module.get_scene_embeddings(audio, model)
    assert scenes.shape == (3, model.scene_embedding_size)
    assert scenes.dtype == torch.float32
    embeddings, times = module.get_timestamp_embeddings(audio, model)
    assert embeddings.shape == (3, 41, model.timestamp_embedding_size)
    assert times.shape == (3, 41)
    assert times[0].tolist() == [50.0 * i for i in range(41)]
    assert torch.equal(module.get_scene_embeddings(audio[1:2], model)[0], scenes[1])


def test_a_scene_is_the_mean_of_its_windows_and_a_timestamp_the_middle_of_one():
    ear = open_ear("fake_ear")
    sound = np.random.default_rng(0).uniform(-1, 1, ear.window + 3 * ear.hop).astype(np.float32)
    np.testing.assert_allclose(hear.scene(ear, sound), ear.hear(sound).embeddings.mean(axis=0))
    embeddings, times = hear.timestamps(ear, sound, hop=ear.window / 2 / ear.sample_rate * 1000)
    assert times[1] / 1000 * ear.sample_rate == pytest.approx(ear.window / 2)
    np.testing.assert_array_equal(embeddings[1], ear.hear(sound[: ear.window]).embeddings[0])


def test_what_is_not_there():
    with pytest.raises(AttributeError, match="no such system"):
        hear.no_such_ear  # noqa: B018
    with pytest.raises(ValueError, match="sounds, samples"):
        hear.get_scene_embeddings(torch.zeros(3), None)
