"""A model as an ONNX file hears what the model hears, without torch."""

import subprocess
import sys

import numpy as np
import pytest

from auricle.errors import AuricleError, WeightsError
from auricle.hub.ear import OnnxEar, TorchEar, open_ear
from auricle.hub.export import export
from auricle.library import Library
from auricle.types import Ear

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")
pytest.importorskip("onnxscript", reason="the extra [train] is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # torch's exporter warns of itself


@pytest.fixture(scope="module")
def model():
    import tiny_tagger

    torch.manual_seed(0)
    return tiny_tagger.Model(tiny_tagger.Config(filters=64)).eval()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    file = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    return file, export(model, file, name="tiny_tagger", hop=0.2)


def test_the_file_is_an_ear_like_the_model(model, exported):
    file, parity = exported
    ear, own = OnnxEar(file), TorchEar("tiny_tagger", model, hop=0.2)
    assert isinstance(ear, Ear)
    assert ear.name.startswith("tiny_tagger@onnx-")
    facts = ("sample_rate", "window", "hop", "dim", "classes")
    assert [getattr(ear, fact) for fact in facts] == [getattr(own, fact) for fact in facts]
    assert max(parity.embedding, parity.scores) < 1e-5
    assert parity.bytes == file.stat().st_size
    sound = np.random.default_rng(1).uniform(-1, 1, ear.window + 3 * ear.hop).astype(np.float32)
    heard, expected = ear.hear(sound), own.hear(sound)
    np.testing.assert_allclose(heard.embeddings, expected.embeddings, atol=1e-5)
    np.testing.assert_allclose(heard.scores, expected.scores, atol=1e-5)
    assert np.array_equal(ear.hear(sound[ear.hop :][: ear.window]).embeddings[0], heard.embeddings[1])


def test_a_batch_of_any_size_is_heard(exported):
    from auricle.hub import session

    wave = np.random.default_rng(2).uniform(-1, 1, (5, 4000)).astype(np.float32)
    whole = session(exported[0]).run(["scores"], {"wave": wave})[0]
    alone = [session(exported[0]).run(["scores"], {"wave": wave[i : i + 1]})[0][0] for i in range(5)]
    np.testing.assert_allclose(whole, alone, atol=1e-6)


def test_eight_bits_are_smaller_and_close(model, exported, tmp_path):
    parity = export(model, tmp_path / "small.onnx", int8=True)
    assert parity.bytes < 0.6 * exported[1].bytes
    assert 0 < parity.embedding < 0.02
    assert parity.scores < 0.02


def test_a_model_without_classes(model, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "classes", ())
    assert export(model, tmp_path / "model.onnx").scores == 0.0
    ear = OnnxEar(tmp_path / "model.onnx")
    assert ear.hear(np.zeros(ear.window, np.float32)).scores is None


def test_the_file_needs_no_torch(exported):
    code = (
        f"import sys, numpy as np; from auricle.hub.ear import open_ear; ear = open_ear({str(exported[0])!r});"
        "ear.hear(np.zeros(ear.window, np.float32)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_library_listens_with_it(exported, tmp_path):
    import soundfile

    sounds = tmp_path / "sounds"
    sounds.mkdir()
    time = np.arange(24_000) / 16_000
    for name, hertz in (("low", 200), ("high", 3000)):
        soundfile.write(sounds / f"{name}.wav", np.sin(2 * np.pi * hertz * time) * 0.5, 16_000)
    library = Library(tmp_path / "library", ear=str(exported[0]))
    assert library.index(sounds, workers=1).heard == 2
    assert library.ear == open_ear(str(exported[0])).name
    assert library.search(like=str(sounds / "high.wav"), limit=1)[0].path.endswith("high.wav")


def test_other_files_are_refused(model, tmp_path):
    with pytest.raises(AuricleError, match=r"\.onnx"):
        export(model, tmp_path / "model.bin")
    import onnx

    onnx.save_model(onnx.ModelProto(ir_version=8), tmp_path / "other.onnx")
    with pytest.raises(WeightsError, match="does not say"):
        OnnxEar(tmp_path / "other.onnx")
