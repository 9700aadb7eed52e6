"""CLAP against ``transformers``, on a tiny copy of the real architecture with random weights."""

import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import auricle
from auricle.errors import AuricleError, MissingExtra, WeightsError
from auricle.hub import Weights
from auricle.types import TextEar, windows_in

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from auricle.align import clap  # noqa: E402
from tests.align.tiny_clap import SENTENCES, build  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build(tmp_path_factory.mktemp("clap") / "tiny")


@pytest.fixture(scope="module")
def ear(folder):
    return auricle.load("clap", path=folder)


@pytest.fixture(scope="module")
def reference(folder):
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    return SimpleNamespace(
        model=ClapModel.from_pretrained(folder).eval(),
        front_end=ClapFeatureExtractor.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
    )


def sounds(samples: int) -> dict[str, np.ndarray]:
    """Different sounds of ``samples`` samples at 48 kHz."""
    rng = np.random.default_rng(0)
    t = np.arange(samples) / clap.SAMPLE_RATE
    return {
        "noise": (0.1 * rng.standard_normal(samples)).astype(np.float32),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32),
        "chirp": (0.3 * np.sin(2 * np.pi * (100 * t + 500 * t**2))).astype(np.float32),
        "quiet": (1e-4 * rng.standard_normal(samples)).astype(np.float32),
        "clicks": (np.arange(samples) % 12000 == 0).astype(np.float32),
    }


def cosine_spread(vectors: np.ndarray) -> float:
    """The largest cosine between two different rows."""
    similarity = vectors @ vectors.T
    return float(np.max(similarity[~np.eye(len(vectors), dtype=bool)]))


# The front-end


@pytest.mark.parametrize("kind", sounds(1))
def test_log_mel_equals_that_of_transformers_on_ten_seconds(reference, kind):
    sound = sounds(clap.WINDOW)[kind]
    expected = reference.front_end(sound, sampling_rate=clap.SAMPLE_RATE)["input_features"][0][0]
    ours = clap.log_mel(sound)
    assert ours.shape == expected.shape == (1001, 64)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)


def test_silence_is_at_the_floor():
    assert np.all(clap.log_mel(np.zeros(clap.WINDOW, np.float32)) == -100.0)


@pytest.mark.parametrize("seconds", [0.5, 3.0, 4.9, 5.0, 7.0, 9.999, 10.0])
def test_a_zero_filled_clip_is_padded_as_transformers_pads_it(reference, seconds):
    clip = sounds(round(seconds * clap.SAMPLE_RATE))["noise"]
    expected = reference.front_end(clip, sampling_rate=clap.SAMPLE_RATE)["input_features"][0][0]
    filled = np.pad(clip, (0, clap.WINDOW - len(clip)))
    np.testing.assert_allclose(clap.log_mel(clap.repeat_pad(filled)), expected, rtol=0, atol=1e-4)


@given(length=st.integers(1, 64), window=st.integers(64, 96))
def test_repeat_pad_is_tile_then_zeros(length, window):
    clip = np.arange(1, length + 1, dtype=np.float32)
    expected = np.zeros(window, np.float32)
    for start in range(0, window - length + 1, length):
        expected[start : start + length] = clip
    np.testing.assert_array_equal(clap.repeat_pad(np.pad(clip, (0, window - length))), expected)


@given(samples=st.integers(clap.HOP + 1, 40 * clap.HOP))
def test_zero_filling_a_longer_recording_is_already_the_padding(samples):
    last = (windows_in(samples, clap.WINDOW, clap.HOP) - 1) * clap.HOP
    assert clap.WINDOW // (samples - last) == 1  # what the last window holds fits once: nothing is repeated


# The ear


def test_it_is_an_ear_that_understands_text(ear, folder):
    assert isinstance(ear, TextEar)
    digest = sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert ear.name == f"clap@local-{digest[:8]}"
    assert (ear.sample_rate, ear.window, ear.hop, ear.dim) == (48_000, 480_000, 240_000, 512)
    assert tuple(ear.classes) == ()


def test_vectors_are_those_of_transformers(ear, reference):
    with torch.inference_mode():
        clips = [*sounds(clap.WINDOW).values()]
        features = reference.front_end(clips, sampling_rate=clap.SAMPLE_RATE, return_tensors="pt")
        audio = reference.model.get_audio_features(features["input_features"]).pooler_output.numpy()
        tokens = reference.tokenizer(list(SENTENCES), padding=True, return_tensors="pt")
        text = reference.model.get_text_features(tokens.input_ids, tokens.attention_mask).pooler_output.numpy()
    heard = np.concatenate([ear.hear(clip).embeddings for clip in clips])
    np.testing.assert_allclose(heard, audio, rtol=0, atol=1e-5)
    np.testing.assert_allclose(ear.embed_text(SENTENCES), text, rtol=0, atol=1e-5)
    assert cosine_spread(audio) < 0.99  # or the comparison would say nothing
    assert cosine_spread(text) < 0.99


def test_sounds_and_sentences_are_unit_vectors_of_one_space(ear):
    heard = ear.hear(sounds(clap.WINDOW + clap.HOP)["chirp"])
    text = ear.embed_text(SENTENCES)
    assert heard.scores is None
    assert heard.embeddings.shape == (2, 512)
    assert text.shape == (len(SENTENCES), 512)
    for vectors in (heard.embeddings, text):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert ear.embed_text([]).shape == (0, 512)


def test_a_window_is_heard_alike_alone_and_among_others(ear):
    rng = np.random.default_rng(1)
    waveform = (0.1 * rng.standard_normal(clap.WINDOW + 2 * clap.HOP)).astype(np.float32)
    together = ear.hear(waveform).embeddings
    alone = [ear.hear(waveform[i * clap.HOP :][: clap.WINDOW]).embeddings[0] for i in range(3)]
    np.testing.assert_array_equal(together, alone)
    changed = waveform.copy()
    changed[clap.WINDOW :] = 0.5  # beyond the first window
    heard = ear.hear(changed).embeddings
    np.testing.assert_array_equal(heard[0], together[0])
    assert np.abs(heard[1] - together[1]).max() > 1e-3


def test_a_sentence_is_read_alike_alone_and_among_others(ear):
    together = ear.embed_text(SENTENCES)
    np.testing.assert_array_equal(together, [ear.embed_text([sentence])[0] for sentence in SENTENCES])


def test_a_text_is_read_up_to_its_77th_token(ear):
    long = "rain " * 500
    vectors = ear.embed_text([long, long + "and a dog barks", "rain"])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-3


def test_an_empty_text_and_silence_have_vectors(ear):
    assert np.isfinite(ear.embed_text([""])).all()
    assert np.isfinite(ear.hear(np.zeros(clap.WINDOW, np.float32)).embeddings).all()


@pytest.mark.parametrize("shape", [(0,), (clap.WINDOW - 1,), (clap.WINDOW + 1,), (clap.WINDOW, 2)])
def test_a_waveform_of_partial_windows_is_refused(ear, shape):
    with pytest.raises(ValueError, match="whole windows"):
        ear.hear(np.zeros(shape, np.float32))


# Loading


def test_the_name_follows_the_weights(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "moved")
    other = build(tmp_path / "other", seed=1)
    names = [auricle.load("clap", path=path).name for path in (folder, moved, other)]
    assert names[0] == names[1] != names[2]


def test_weights_may_lack_what_is_derived(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith(clap.DERIVED)}
    assert len(kept) < len(tensors)
    save_file(kept, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        auricle.load("clap", path=tmp_path).embed_text(SENTENCES), clap.load(path=folder).embed_text(SENTENCES)
    )


@pytest.mark.parametrize("damage", ["missing", "unknown", "reshaped", "truncated", "pickle"])
def test_weights_that_do_not_fit_are_refused(folder, tmp_path, damage):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "model.safetensors"
    tensors = load_file(folder / "model.safetensors")  # mapped, not read: not the file to be written
    running_mean = "audio_model.audio_encoder.batch_norm.running_mean"
    match damage:
        case "missing":
            save_file({name: tensor for name, tensor in tensors.items() if name != running_mean}, file)
        case "unknown":
            save_file({**tensors, "head.weight": torch.zeros(1)}, file)
        case "reshaped":
            save_file({**tensors, running_mean: torch.zeros(65)}, file)
        case "truncated":
            file.write_bytes(file.read_bytes()[:-1])
        case "pickle":
            torch.save(tensors, file)
    with pytest.raises(WeightsError, match="does not fit"):
        auricle.load("clap", path=tmp_path)


def test_a_folder_without_safetensors_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"no model\.safetensors.*pickled weights are not read"):
        auricle.load("clap", path=tmp_path)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", ["", "{", "[1]", '{"audio_config": {"depths": "deep"}}'])
def test_a_folder_of_something_else_is_refused(folder, tmp_path, file, content):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / file).write_text(content)
    with pytest.raises(WeightsError, match=rf"{file} (describes|holds) no"):
        auricle.load("clap", path=tmp_path)


def test_a_fused_model_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"enable_fusion": false', '"enable_fusion": true'))
    with pytest.raises(WeightsError, match="unfused"):
        auricle.load("clap", path=tmp_path)


def test_an_unknown_tag_is_refused():
    with pytest.raises(AuricleError, match="630k-audioset-unfused"):
        auricle.load("clap@630k-audioset-fused")


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_names_its_extra(folder, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"auricle\[train\]"):
        auricle.load("clap", path=folder)


def test_importing_the_module_imports_no_torch():
    code = "import sys, auricle.align.clap; sys.exit(bool({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


# Published weights, from a hub that is a folder


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """The hub with the tiny model in the place of the published one; yields the list of what was asked of it."""
    import huggingface_hub

    asked = []

    def weights(published: Weights, file: Path) -> Weights:
        return replace(published, sha256=sha256(file.read_bytes()).hexdigest(), size=file.stat().st_size)

    def download(repository, file, *, revision, local_dir):
        asked.append((repository, file, revision))
        return shutil.copy(folder / file, local_dir)

    def metadata(url):
        asked.append(url)
        file = folder / url.rpartition("/")[2]
        return SimpleNamespace(etag=sha256(file.read_bytes()).hexdigest(), size=file.stat().st_size)

    config, tokenizer = clap.CARD.weights[clap.CARD.tag]
    files = weights(config, folder / "config.json"), weights(tokenizer, folder / "tokenizer.json")
    monkeypatch.setattr(clap, "CARD", replace(clap.CARD, weights={clap.CARD.tag: files}))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", metadata)
    monkeypatch.setenv("AURICLE_HOME", str(tmp_path))
    monkeypatch.delenv("AURICLE_OFFLINE", raising=False)
    return asked


def test_published_weights_are_fetched_once_at_pinned_commits(hub, ear, monkeypatch):
    fetched = auricle.load("clap")
    assert fetched.name == "clap@630k-audioset-unfused"
    np.testing.assert_array_equal(fetched.embed_text(SENTENCES), ear.embed_text(SENTENCES))
    revision = clap.NETWORK_REVISION
    assert hub[2:] == [
        f"https://huggingface.co/laion/clap-htsat-unfused/resolve/{revision}/model.safetensors",
        ("laion/clap-htsat-unfused", "model.safetensors", revision),
    ]
    monkeypatch.setenv("AURICLE_OFFLINE", "1")
    auricle.load("clap")
    assert len(hub) == 4


def test_a_network_other_than_the_hub_publishes_is_refused(hub, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(
        huggingface_hub, "get_hf_file_metadata", lambda url: SimpleNamespace(etag="0" * 64, size=1_000_000)
    )
    with pytest.raises(WeightsError, match=r"clap-model\.safetensors could not be fetched"):
        auricle.load("clap")


@pytest.mark.parametrize("etag", [None, "0" * 40])
def test_a_hub_that_publishes_no_checksum_is_refused(hub, monkeypatch, etag):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url: SimpleNamespace(etag=etag, size=1))
    with pytest.raises(WeightsError, match="publishes no SHA-256"):
        auricle.load("clap")


def test_nothing_is_asked_offline(hub, monkeypatch):
    monkeypatch.setenv("AURICLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="offline"):
        auricle.load("clap")
    assert not hub
