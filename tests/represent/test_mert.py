"""MERT against ``transformers.HubertModel`` with drawn weights, its names, masks, mixtures and training."""

import dataclasses
import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
transformers = pytest.importorskip("transformers")

from auricle.errors import WeightsError  # noqa: E402
from auricle.features.cqt import ConstantQ  # noqa: E402
from auricle.represent import _notes, mert  # noqa: E402
from auricle.represent.mert import model as network  # noqa: E402
from auricle.represent.mert import training  # noqa: E402
from tests.represent.learning import learns  # noqa: E402

SMALL = mert.Config(width=32, layers=2, heads=4, hidden=48, channels=16, kernel=16, groups=4, dropout=0.0, layer_drop=0)
LARGE = dataclasses.replace(SMALL, norm_first=True)
NEAR = {"rtol": 1e-4, "atol": 1e-5}


pytestmark = pytest.mark.usefixtures("one_thread")


def hubert(norm_first: bool) -> torch.nn.Module:
    config = transformers.HubertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=norm_first,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    model = transformers.HubertModel(config).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("bias"):
            parameter.data += 0.2 * torch.randn(parameter.shape)
    return model


def wave(samples: int = 6000) -> torch.Tensor:
    return torch.from_numpy((0.3 * np.random.default_rng(0).standard_normal((2, samples))).astype(np.float32))


@pytest.mark.parametrize(("norm_first", "config"), [(False, SMALL), (True, LARGE)])
def test_every_layer_is_that_of_transformers(norm_first, config):
    theirs, ours = hubert(norm_first), mert.Model(config).eval()
    ours.load_state_dict(network.from_hugging_face(theirs.state_dict()))
    with torch.inference_mode():
        known = theirs(wave(), output_hidden_states=True)
        np.testing.assert_allclose(ours.features(wave()), theirs.feature_extractor(wave()).transpose(1, 2), **NEAR)
        heard = ours(wave())
    layers = torch.stack([*known.hidden_states[:-1], known.last_hidden_state], dim=1)
    np.testing.assert_allclose(heard["layers"], layers, **NEAR)
    np.testing.assert_allclose(heard["embedding"], layers.mean(dim=(1, 2)), **NEAR)


def old_names(state: dict) -> dict:
    """A state dict as the hub's files hold it, with the weight norm of older versions of torch."""
    for old, new in (("_g", "original0"), ("_v", "original1")):
        state = {name.replace(f".parametrizations.weight.{new}", f".weight{old}"): x for name, x in state.items()}
    return state


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_checkpoints_load_by_name_and_as_files(tmp_path, monkeypatch, suffix):
    from safetensors.torch import save_file

    theirs = hubert(False)
    state = old_names(theirs.state_dict())
    file = tmp_path / ("model.safetensors" if suffix == "safetensors" else mert.FILE)
    save_file(state, file) if suffix == "safetensors" else torch.save(state, file)
    monkeypatch.setitem(mert.SIZES, "95m", SMALL)
    monkeypatch.setattr(mert, "from_hub", lambda repository, name: {"m-a-p/MERT-v0": tmp_path / file.name}[repository])
    fetched, read = mert.load("v0"), mert.load(path=tmp_path, layer=1)
    assert (fetched.sample_rate, read.sample_rate) == (16_000, 24_000)
    with torch.inference_mode():
        known = theirs(wave(), output_hidden_states=True).hidden_states
        np.testing.assert_allclose(read.embed(wave()), known[1].mean(dim=1), **NEAR)


def test_fairseq_names_fill_a_task_with_its_heads():
    names = (  # from the converter of transformers, turned round
        (r"^masked_spec_embed$", "mask_emb"),
        (r"conv_layers\.(\d)\.conv\.", r"conv_layers.\1.0."),
        (r"conv_layers\.0\.layer_norm\.", "conv_layers.0.2."),
        (r"^feature_projection\.layer_norm\.", "layer_norm."),
        (r"^feature_projection\.projection\.", "post_extract_proj."),
        (r"pos_conv_embed\.conv\.", "pos_conv.0."),
        (r"(layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
        (r"\.attention\.", ".self_attn."),
        (r"feed_forward\.intermediate_dense\.", "fc1."),
        (r"feed_forward\.output_dense\.", "fc2."),
    )
    theirs = hubert(False)
    state = {}
    for name, tensor in old_names(theirs.state_dict()).items():
        for pattern, old in names:
            name = re.sub(pattern, old, name)
        state[name] = tensor
    state |= {"label_embs_concat": torch.rand(6, 5), "encoder_cqt_model.spec_layer.lengths": torch.zeros(1)}
    state |= {"encoder_cqt_model.fc.weight": torch.rand(12, 32), "encoder_cqt_model.fc.bias": torch.rand(12)}
    for book in range(2):
        state |= {f"final_projs.{book}.weight": torch.rand(5, 32), f"final_projs.{book}.bias": torch.rand(5)}
    musical = ConstantQ(24_000, 320, 110.0, 1, 12)
    task = mert.Task(mert.Model(SMALL), lambda wave: wave, musical, books=2, entries=3, code_width=5).eval()
    task.load_state_dict(mert.from_fairseq(state))
    with torch.inference_mode():
        np.testing.assert_allclose(task.model(wave())["layers"][:, -1], theirs(wave()).last_hidden_state, **NEAR)
        frames = torch.randn(4, 32)
        projected = frames @ state["final_projs.1.weight"].T + state["final_projs.1.bias"]
        cosine = torch.cosine_similarity(projected[:, None], state["label_embs_concat"][3:][None], dim=-1)
        np.testing.assert_allclose(task.logits(frames)[:, 1], cosine / 0.1, **NEAR)


def test_the_published_sizes():
    for size, millions in (("95m", 94.37), ("330m", 315.43)):
        with torch.device("meta"):
            model = mert.Model(mert.SIZES[size])
        assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)
        assert (model.config.stride, model.config.receptive) == (320, 400)
        assert model.convolutions(torch.empty(1, 120_000, device="meta")).shape[1] == 374


def test_spans_hide_as_many_frames_in_every_clip():
    torch.manual_seed(0)
    hidden = training.span_mask(8, 374, mert.Masking())
    counts = hidden.sum(dim=1)
    assert counts.min() == counts.max()
    assert 0.4 < float(hidden.float().mean()) < 0.7  # 1 - exp(-0.8) = 0.55, less what is given back
    with pytest.raises(ValueError, match="do not fit"):
        training.span_mask(2, 6, mert.Masking())


def test_mixtures_only_add_pieces_of_the_other_clips():
    torch.manual_seed(0)
    clips = torch.eye(3).repeat_interleave(100, dim=1)[:, :300] + 1  # each clip is told by its values
    heard = training.mixed(clips, mert.Masking(clean=0.0, pieces=(1, 1), lengths=(10, 20)))
    added = heard - clips
    assert bool((added >= 0).all())
    assert all(10 <= int((row > 0).sum()) <= 20 for row in added)
    assert torch.equal(training.mixed(clips, mert.Masking(clean=1.0)), clips)
    assert torch.equal(training.mixed(clips[:1], mert.Masking(clean=0.0)), clips[:1])


def test_the_codec_teaches_at_the_models_frames():
    torch.manual_seed(0)
    small = transformers.EncodecConfig(
        num_filters=4, hidden_size=8, codebook_dim=8, codebook_size=16, target_bandwidths=[0.6], num_lstm_layers=1
    )
    labels = training.codes_of(transformers.EncodecModel(small), 0.6)(wave(24_000))
    assert labels.shape[:2] == (2, 75)
    assert labels.dtype == torch.int64
    assert mert.Model(SMALL).features(wave(24_000)).shape[1] == 74


def test_residual_labels_come_ever_closer():
    waves = torch.from_numpy(_notes.notes(40, 0).waves)
    front_end = training.LogMel(_notes.RATE, 512, 160, 64, 40.0, 4000.0)
    teacher = training.ResidualKMeans(front_end, waves, 2, 16, seed=0)
    labels, mel = teacher(waves), front_end(waves)
    assert labels.shape == (40, 51, 2)
    first = mel - teacher.books[0][labels[..., 0]]
    second = first - teacher.books[1][labels[..., 1]]
    assert float(second.square().mean()) < float(first.square().mean()) < 0.5 * float(mel.var())


def test_pretraining_learns_and_every_parameter_is_reached():
    task = training.mini_task("both", 0, "smoke")
    batch = {"wave": torch.from_numpy(_notes.notes(100, 0).waves[:6])}
    learns(task, batch, steps=25, lr=1e-3, to=0.95)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="no MERT 'v9'"):
        mert.load("v9")
    torch.save({"masked_spec_embed": torch.zeros(1)}, tmp_path / mert.FILE)
    with pytest.raises(WeightsError, match="does not hold the weights of MERT v1-95m"):
        mert.load(path=tmp_path)
