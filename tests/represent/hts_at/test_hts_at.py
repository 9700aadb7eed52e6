"""HTS-AT against the authors' code (commit 2e29471, run on the weights and sounds of ``known``) and transformers'."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import save_file  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from auricle import hub  # noqa: E402
from auricle.errors import WeightsError  # noqa: E402
from auricle.nn.swin import assemble, partition, shift_mask  # noqa: E402
from auricle.represent import hts_at  # noqa: E402
from auricle.represent.hts_at import Config, Model, soundscapes  # noqa: E402
from tests.represent.hts_at.known import HEADS, SIZES, drawn, sound  # noqa: E402

REFERENCE = np.load(Path(__file__).parent / "reference.npz")
COMPUTED = ("spectrogram_extractor.", "logmel_extractor.")
SMALL = Config(width=8, depths=tuple(SIZES["depths"]), heads=HEADS)
TINY = Config(width=8, depths=(1, 2), heads=(1, 2), size=32, bands=16, seconds=1.0, sample_rate=8000, high=4000.0)


pytestmark = pytest.mark.usefixtures("one_thread")


def official_state() -> dict[str, torch.Tensor]:
    """A state dict of the authors' class, without the tables that it computes."""
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in Model(SMALL, range(5)).state_dict().items()}
    state = {}
    for name in map(str, REFERENCE["names"]):
        ours = [*hts_at.from_authors({name: torch.zeros(1)})]
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
        elif ours:
            state[name] = torch.from_numpy(np.asarray(drawn(name, shapes[ours[0]]), np.float32))
        else:
            state[name] = torch.zeros(1)
    return state


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A file as Lightning writes it, with more in it than tensors."""
    path = tmp_path_factory.mktemp("hts_at") / "HTSAT_AudioSet_Saved_1.ckpt"
    state = {f"sed_model.{name}": tensor for name, tensor in official_state().items()}
    torch.save({"epoch": 3, "state_dict": state, "callbacks": {Path: {"best": Path("x")}}}, path)
    return path


def test_every_stage_is_the_authors(checkpoint):
    model = hub.load("hts_at", path=checkpoint)
    assert (model.config, len(model.classes)) == (SMALL, 5)
    stages = {}

    def note(name):
        return lambda _module, _inputs, x: stages.update({name: x})

    model.band_norm.register_forward_hook(lambda _m, _i, x: stages.update(band_norm=x.transpose(1, 2)))
    model.patch_norm.register_forward_hook(note("patches"))
    model.norm.register_forward_hook(note("norm"))
    for i, stage in enumerate(model.stages):
        stage.register_forward_hook(note(f"stage{i}"))
        for j, block in enumerate(stage.blocks):
            block.register_forward_hook(note(f"block{i}.{j}"))
    with torch.inference_mode():
        heard = model(torch.from_numpy(np.stack([sound(320_000), sound(320_000, seed=1)])))
    for name, x in stages.items():
        flat = x.reshape(2, -1)
        step = 320 if name == "band_norm" else max(1, flat.shape[1] // 200)
        theirs = REFERENCE[name]
        ours = flat[:, ::step][:, : theirs.shape[1]]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max(), err_msg=name)
    for name in ("embedding", "scores", "frames"):
        np.testing.assert_allclose(heard[name], REFERENCE[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert len(stages) == 3 + 4 + 10


def test_the_published_network_has_its_size():
    with torch.device("meta"):
        model = Model()
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count - sum(parameter.numel() for parameter in model.head.parameters()) == 27_534_488
    assert (model.dim, model.window, model.step) == (768, 10.0, 0.3125)


class TestClap:
    """The audio tower of CLAP, a second reference."""

    @pytest.fixture
    def reference(self):
        torch.manual_seed(0)
        config = transformers.ClapAudioConfig(
            patch_embeds_hidden_size=8, hidden_size=64, depths=SIZES["depths"], num_attention_heads=list(HEADS)
        )
        model = transformers.ClapAudioModel(config).eval()
        for name, parameter in model.named_parameters():  # larger than its start, so that differences show
            torch.nn.init.normal_(parameter, mean=1.0 if "norm" in name and "weight" in name else 0.0, std=0.3)
        model.audio_encoder.batch_norm.running_mean.uniform_(-40, -20)
        model.audio_encoder.batch_norm.running_var.uniform_(200, 400)
        return model

    def test_it_gives_the_same_numbers(self, reference, tmp_path):
        file = tmp_path / "model.safetensors"
        state = {f"audio_model.{name}": tensor.contiguous() for name, tensor in reference.state_dict().items()}
        save_file(state | {"logit_scale_a": torch.zeros(1)}, file)
        model = hts_at.load(path=file)
        assert (model.sample_rate, model.window, model.classes) == (48_000, 10.0, ())
        mel = torch.from_numpy(np.random.default_rng(0).uniform(-80, 0, (2, 1001, 64)).astype(np.float32))
        with torch.inference_mode():
            heard, expected = model.hear(mel), reference(mel[:, None])
        assert set(heard) == {"embedding", "tokens"}
        np.testing.assert_allclose(heard["tokens"], expected.last_hidden_state, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(heard["embedding"], expected.pooler_output, rtol=1e-4, atol=1e-4)

    def test_so_does_a_checkpoint_of_laion(self, tmp_path):
        state = {f"module.audio_branch.{name}": tensor for name, tensor in official_state().items()}
        torch.save({"state_dict": state | {"module.logit_scale_a": torch.zeros(())}}, tmp_path / "clap.pt")
        model = hts_at.load(path=tmp_path / "clap.pt")
        assert (model.sample_rate, model.classes, model.config.hop) == (48_000, (), 480)
        assert torch.equal(model.patches.weight, official_state()["patch_embed.proj.weight"])


def test_what_cannot_be_loaded_says_why(tmp_path):
    with pytest.raises(WeightsError, match=r"not fetched.*HTSAT_AudioSet"):
        hts_at.load()
    torch.save({"state_dict": {"sed_model.bn0.weight": torch.zeros(4)}}, tmp_path / "half.ckpt")
    with pytest.raises(WeightsError, match="does not hold the weights of an HTS-AT"):
        hts_at.load(path=tmp_path / "half.ckpt")


def test_windows_come_back_from_where_they_were_cut():
    x = torch.arange(2 * 8 * 12 * 3).view(2, 8, 12, 3)
    assert torch.equal(assemble(partition(x, 4)[:, :6], 8, 12), x)
    assert torch.equal(partition(x, 4)[0, 1, :4], x[0, 0, 4:8])


def test_the_mask_parts_what_the_shift_has_joined():
    rows = columns = 8
    place = torch.arange(rows * columns).view(rows, columns)
    shifted = partition(place.roll((-2, -2), (0, 1))[None, :, :, None], 4)[0, :, :, 0]
    mask = shift_mask(rows, columns, 4, 2)
    for window, tokens in enumerate(shifted.tolist()):
        for a, one in enumerate(tokens):
            for b, other in enumerate(tokens):
                near = all(abs(x - y) < 4 for x, y in zip(divmod(one, 8), divmod(other, 8), strict=True))
                assert (mask[window, a, b] == 0) == near


def test_folding_stacks_chunks_and_unfolding_puts_time_together():
    model = Model(TINY, ("a",))
    mel = torch.arange(64 * 16, dtype=torch.float32).view(1, 64, 16)  # frames, bands
    image = model.fold(mel)
    assert image.shape == (1, 32, 32)
    assert image[0, 16 + 3, 5] == mel[0, 32 + 5, 3]
    tokens = torch.arange(TINY.steps * TINY.rows).view(1, 4, 4, 1)  # two chunks of two rows
    assert model.unfold(tokens)[0, 0].tolist() == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]]


def test_a_clip_is_the_mean_of_its_steps():
    torch.manual_seed(0)
    heard = Model(TINY, ("a", "b")).eval()(torch.randn(3, 8000))
    assert heard["frames"].shape == (3, TINY.steps, 2)
    torch.testing.assert_close(heard["frames"].logit().mean(dim=1), heard["logits"])


def test_without_the_module_every_step_has_the_clips_score():
    heard = Model(Config(**{**vars(TINY), "semantic": False}), ("a", "b")).eval()(torch.randn(3, 8000))
    assert torch.equal(heard["frames"], heard["scores"][:, None].expand(3, TINY.steps, 2))


def test_more_than_a_window_is_refused_and_less_is_filled():
    model = Model(TINY, ("a",)).eval()
    with pytest.raises(ValueError, match="8001 samples are more than the 8000"):
        model(torch.zeros(1, 8001))
    wave = torch.randn(1, 5000)
    assert torch.equal(model.embed(wave), model.embed(torch.nn.functional.pad(wave, (0, 3000))))


def test_mixing_takes_the_other_end_of_the_batch():
    model = Model(TINY, ("a",)).eval()
    wave = torch.randn(4, 8000)
    torch.testing.assert_close(model(wave, torch.ones(4))["logits"], model(wave)["logits"])
    torch.testing.assert_close(model(wave, torch.zeros(4))["logits"], model(wave)["logits"].flip(0))


def test_the_loss_is_the_cross_entropy_of_probabilities():
    task = hts_at.Task(Model(TINY, ("a", "b"))).eval()
    wave, y = torch.randn(3, 8000), torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    p = task.model.tag(wave)
    expected = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    torch.testing.assert_close(task.training_step({"wave": wave, "target": y})["loss"], expected)
    numbers = task.training_step({"wave": wave, "target": torch.tensor([0, 1, 1])})["loss"]
    torch.testing.assert_close(
        numbers, torch.nn.functional.cross_entropy(task.model(wave)["logits"], torch.tensor([0, 1, 1]))
    )
    assert hts_at.Task(task.model, mixup=True).training_step({"wave": wave, "target": y})["loss"].isfinite()


def test_multiplications_are_those_that_are_done():
    config = Config(width=16, depths=(2, 2), heads=(2, 4), size=64, bands=32, window=8)
    model = Model(config, ())
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.stages(torch.zeros(1, 16, 16, 16))
    assert counter.get_total_flops() == 2 * soundscapes.multiply_adds(config)
    ratio = soundscapes.multiply_adds(Config()) / soundscapes.flat_multiply_adds(Config())
    assert 0.01 < ratio < 1 / 3


def test_soundscapes_say_when():
    clip = soundscapes.soundscape(np.random.default_rng(0))
    assert np.abs(clip["wave"]).max() == pytest.approx(0.5)
    assert clip["activity"].shape == (40, 6)
    assert 0 < clip["activity"].sum() < 40 * 3
    assert np.array_equal(clip["target"], clip["activity"].max(axis=0))


def test_claims_ask_for_more_than_a_tie():
    tie = {arm: {name: np.full(3, 0.5) for name in ("map", "f1")} for arm in hts_at.ARMS}
    assert [*hts_at.claims(tie).values()] == [False, True, False, True]
    better = {name: np.full(3, 0.7) for name in ("map", "f1")}
    assert all(hts_at.claims(tie | {"semantic": better}).values())
