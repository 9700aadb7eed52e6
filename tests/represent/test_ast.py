"""AST against ``transformers`` on a small copy of the architecture, through its checkpoints and the authors'."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import save_file  # noqa: E402

from auricle.errors import WeightsError  # noqa: E402
from auricle.nn.patches import FilledFbank  # noqa: E402
from auricle.represent import ast  # noqa: E402

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
OLD_NAMES = (  # of transformers 4, from those of 5
    ("transformer.layers.", "transformer.encoder.layer."),
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
)
AUTHORS_NAMES = (
    ("audio_spectrogram_transformer.layers.", "module.v.blocks."),
    ("audio_spectrogram_transformer.layernorm.", "module.v.norm."),
    ("audio_spectrogram_transformer.embeddings.cls_token", "module.v.cls_token"),
    ("audio_spectrogram_transformer.embeddings.distillation_token", "module.v.dist_token"),
    ("audio_spectrogram_transformer.embeddings.position_embeddings", "module.v.pos_embed"),
    ("audio_spectrogram_transformer.embeddings.patch_embeddings.projection.", "module.v.patch_embed.proj."),
    (".layernorm_before.", ".norm1."),
    (".layernorm_after.", ".norm2."),
    (".attention.o_proj.", ".attn.proj."),
    ("classifier.layernorm.", "module.mlp_head.0."),
    ("classifier.dense.", "module.mlp_head.1."),
)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def reference():
    torch.manual_seed(0)
    labels = {0: "Speech", 1: "Music", 2: "Dog"}
    config = transformers.ASTConfig(**SIZES, num_mel_bins=32, max_length=64, id2label=labels)
    model = transformers.ASTForAudioClassification(config).eval()
    for name, parameter in model.named_parameters():  # larger than its start, so that differences show
        torch.nn.init.normal_(parameter, mean=1.0 if "norm" in name and "weight" in name else 0.0, std=0.2)
    return model


@pytest.fixture
def folder(reference, tmp_path):
    (tmp_path / "config.json").write_text(reference.config.to_json_string(use_diff=False))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"mean": -4.0, "std": 4.5}))
    save_file({name: tensor.contiguous() for name, tensor in reference.state_dict().items()}, tmp_path / ast.WEIGHTS)
    return tmp_path


def renamed(state, names):
    ours = {}
    for name, tensor in state.items():
        for before, after in names:
            name = name.replace(before, after)
        ours[name] = tensor
    return ours


def mel() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((2, 64, 32)).astype(np.float32))


def same(model, reference, heard=None):
    with torch.inference_mode():
        heard = model.hear(mel())
        expected = reference.audio_spectrogram_transformer(mel())
        for ours, theirs in (
            (heard["tokens"], expected.last_hidden_state),
            (heard["embedding"], expected.pooler_output),
            (heard["logits"], reference(mel()).logits),
        ):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_a_folder_of_hugging_face_gives_the_same_numbers(folder, reference):
    model = ast.load(path=folder)
    assert model.classes == ("Speech", "Music", "Dog")
    assert (model.config.mean, model.config.deviation) == (-4.0, 4.5)
    same(model, reference)


def test_so_do_the_names_of_transformers_4(folder, reference):
    save_file({k: v.contiguous() for k, v in renamed(reference.state_dict(), OLD_NAMES).items()}, folder / ast.WEIGHTS)
    same(ast.load(path=folder), reference)


def test_so_does_a_checkpoint_of_the_authors(reference):
    state = renamed(reference.state_dict(), AUTHORS_NAMES)
    for layer in range(2):
        for kind in ("weight", "bias"):
            parts = [state.pop(f"module.v.blocks.{layer}.attention.{part}_proj.{kind}") for part in "qkv"]
            state[f"module.v.blocks.{layer}.attn.qkv.{kind}"] = torch.cat(parts)
    state["module.v.head.weight"] = torch.zeros(1)
    config = ast.Config(16, 2, 2, 32, bands=32, frames=64)
    model = ast.Model(config, classes=("Speech", "Music", "Dog")).eval()
    model.load_state_dict(ast.from_authors(state))
    same(model, reference)


def test_the_front_end_is_that_of_transformers():
    wave = (0.1 * np.random.default_rng(0).standard_normal(16_000) + 0.05).astype(np.float32)
    with pytest.warns(UserWarning, match="mel filter"):
        extractor = transformers.ASTFeatureExtractor(max_length=128)
    expected = extractor(wave, sampling_rate=16_000, return_tensors="np")["input_values"]
    ours = FilledFbank(ast.Config(frames=128))(torch.from_numpy(wave)[None])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
    assert ours[0, -1].mean() == pytest.approx(0.467, abs=1e-3)  # padding, 4.268 / 9.138


def test_the_published_architecture_has_its_size():
    with torch.device("meta"):
        model = ast.Model()
    assert model.positions.shape == (1, 1214, 768)
    assert model.window == pytest.approx(10.255)
    # 12 layers, patches, tokens and positions, norm: transformers' ASTModel; and the classifier
    encoder = 12 * 7_087_872 + (256 * 768 + 768) + 1216 * 768 + 1536
    assert sum(parameter.numel() for parameter in model.parameters()) == encoder + 1536 + 769 * 527


@pytest.mark.parametrize("samples", [1, 5000, 40_000])
def test_any_length_is_heard(samples):
    model = ast.Model(ast.Config(16, 1, 2, 32, bands=32, frames=64), classes=("a", "b")).eval()
    with torch.inference_mode():
        assert model.tag(torch.zeros(2, samples)).shape == (2, 2)
        assert model.embed(torch.zeros(2, samples)).shape == (2, 16)


def test_another_length_cuts_or_interpolates_the_positions_in_time():
    model = ast.Model(ast.Config(4, 1, 1, 8, bands=32, frames=64), classes=("a",)).requires_grad_(False)
    rows, columns = model.config.grid
    assert (rows, columns) == (2, 5)
    model.positions[:, 2:] = torch.arange(5.0).repeat(rows)[None, :, None]
    model.fit_length(1.225)  # 121 frames
    assert model.config.grid == (2, 11)
    stretched = model.positions[0, 2:, 0].unflatten(0, (2, 11))
    assert torch.equal(stretched[0], stretched[1])
    assert stretched[0].diff().min() >= 0
    assert stretched[0, 5] == pytest.approx(2.0)
    model.fit_length(0.475)  # 46 frames, of the middle
    assert model.config.grid == (2, 4)
    assert torch.equal(model.positions[0, 2:6, 0], stretched[0, 3:7])
    with pytest.raises(ValueError, match="fewer than the 16"):
        model.fit_length(0.1)


def test_wrong_files_are_refused(folder, tmp_path):
    save_file({"something": torch.zeros(1)}, folder / ast.WEIGHTS)
    with pytest.raises(WeightsError, match="does not hold the weights of an AST"):
        ast.load(path=folder)
    (folder / ast.WEIGHTS).unlink()
    with pytest.raises(WeightsError, match=r"holds no model\.safetensors"):
        ast.load(path=folder)
    (tmp_path / "audioset_10_10_0.4593.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="cannot be read"):
        ast.load(path=tmp_path / "audioset_10_10_0.4593.pth")
