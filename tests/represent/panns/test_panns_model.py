"""The PANNs against the authors' own code, run on the same weights and sounds (``known``), and what it cannot do."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.data.audioset import classes, evaluation_classes  # noqa: E402
from auricle.errors import WeightsError  # noqa: E402
from auricle.nn.mix import mix_pairs  # noqa: E402
from auricle.represent.panns import VARIANTS, Config, Model  # noqa: E402
from auricle.represent.panns.model import load_official  # noqa: E402
from tests.represent.panns.known import fill, sound  # noqa: E402

REFERENCE = np.load(Path(__file__).parent / "reference.npz")
COMPARED = sorted({name.partition("/")[0] for name in REFERENCE.files if name.endswith("/scores")})
UNUSED = {  # parameters that the authors' classes hold and never use
    "Cnn14_DecisionLevelAtt": 2 * 527,
    "DaiNet19": 64 * 64 + 2 * 64,
    "Wavegram_Cnn14": 9 * 64 + 9 * 64 * 64 + 4 * 64 + 2 * 64,
}
TINY = Config(channels=(4, 8), kernel=5, embedding=16, sample_rate=8000, fft=256, hop=80, high=4000.0)


def official_name(name: str) -> str:
    """Name of a tensor or layer in the authors' code."""
    name = name.removeprefix("body.")
    return name.replace("downsample.1", "bn_downsample") if name.startswith("conv_block") else name


def official_state(variant: str) -> dict[str, torch.Tensor]:
    """A state dict as the authors' checkpoints hold it."""
    with torch.device("meta"):
        model = Model(VARIANTS[variant])
    state = {"spectrogram_extractor.stft.conv_real.weight": torch.zeros(1), "logmel_extractor.melW": torch.zeros(1)}
    for name, tensor in model.state_dict().items():
        name = (
            official_name(name).replace("downsample.0", "downsample") if variant == "DaiNet19" else official_name(name)
        )
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
        else:
            state[name] = torch.from_numpy(np.asarray(fill(name, tuple(tensor.shape), model.bn0 is not None)))
    return state


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_are_as_many_as_the_authors(variant):
    with torch.device("meta"):
        model = Model(VARIANTS[variant])
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == REFERENCE[f"{variant}/count"] - UNUSED.get(variant, 0)


@pytest.mark.parametrize("variant", COMPARED)
def test_every_stage_is_the_authors(variant):
    config, model = VARIANTS[variant], load_official(variant, official_state(variant))
    stages = {}

    def note(name):
        return lambda _module, _inputs, x: stages.update({name: (x.mean().item(), x.square().mean().sqrt().item())})

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.register_forward_hook(note(official_name(name)))
    samples = config.hop * (70 if config.body == "res1dnet" else 40)
    with torch.inference_mode():
        heard = model(torch.from_numpy(np.stack([sound(samples), sound(samples, seed=1)])))
    for (name, ours), theirs in zip(sorted(stages.items()), REFERENCE[f"{variant}/stages"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(heard["scores"][:, ::31], REFERENCE[f"{variant}/scores"], rtol=0, atol=1e-4)
    if config.pooling == "clip":
        theirs = REFERENCE[f"{variant}/embedding"]
        ours = heard["embedding"][:, :: max(1, config.embedding // 32)]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * max(1.0, np.abs(theirs).max()))
    else:
        np.testing.assert_allclose(heard["frames"][:, ::9, ::100], REFERENCE[f"{variant}/frames"], rtol=0, atol=1e-4)


def test_weights_of_another_variant_are_refused():
    with pytest.raises(WeightsError, match="not the weights of Cnn10"):
        load_official("Cnn10", official_state("Cnn6"))


def test_columns_are_audiosets():
    with torch.device("meta"):
        names = Model(VARIANTS["Cnn6"]).classes
    assert names == evaluation_classes()
    assert len(names) == 527
    assert [name for name in names if name in classes()] == list(classes())


@pytest.mark.parametrize("variant", ["Cnn6", "MobileNetV1", "LeeNet11", "DaiNet19", "Cnn14_8k"])
@pytest.mark.parametrize("samples", [1, 1000])
def test_any_length_is_heard(variant, samples):
    model = Model(VARIANTS[variant], classes=("a", "b")).eval()
    with torch.inference_mode():
        assert model.tag(torch.zeros(1, samples)).shape == (1, 2)
        assert model.embed(torch.zeros(1, samples)).shape == (1, model.dim)


@pytest.mark.parametrize("frames", [32, 33, 40, 41])
def test_wavegrams_hear_lengths_where_the_spectrograms_differ_by_a_frame(frames):
    model = Model(Config(body="wavegram", channels=(4, 4, 4, 4, 4, 4), embedding=8), classes=("a",)).eval()
    with torch.inference_mode():
        assert model.tag(torch.zeros(1, 320 * frames)).shape == (1, 1)


def test_the_last_frames_repeat_the_last_segment():
    config = Config(channels=(4, 4, 4, 4, 4, 4), embedding=8, pooling="max")
    with torch.inference_mode():
        frames = Model(config, classes=("a",)).eval()(torch.from_numpy(sound(320 * 100))[None])["frames"][0, :, 0]
    assert len(frames) == 101  # 1 + 32000 // 320: three segments of 32, and 5 frames left over
    assert torch.unique_consecutive(frames).numel() == 3
    assert (frames[64:] == frames[-1]).all()


def test_a_batch_changes_nothing():
    model = Model(TINY, classes=("a", "b")).eval()
    waves = torch.from_numpy(np.stack([sound(8000, seed) for seed in range(3)]))
    with torch.inference_mode():
        alone = torch.cat([model.embed(wave[None]) for wave in waves])
        np.testing.assert_allclose(model.embed(waves), alone, rtol=0, atol=1e-5)


def test_mixing_halves_the_batch_and_a_weight_of_one_is_the_first_of_each_pair():
    torch.manual_seed(0)
    model = Model(TINY, classes=("a", "b")).eval()
    waves = torch.from_numpy(np.stack([sound(8000, seed) for seed in range(4)]))
    with torch.inference_mode():
        mixed = model(waves, torch.ones(2))["scores"]
        np.testing.assert_allclose(mixed, model(waves[::2])["scores"], rtol=0, atol=1e-6)
        assert not torch.allclose(model(waves, torch.full((2,), 0.5))["scores"], mixed)


def test_waveforms_are_mixed_where_the_config_says_so():
    torch.manual_seed(0)
    model = Model(Config(**{**vars(TINY), "mixup": "waveform"}), classes=("a",)).eval()
    waves = torch.from_numpy(np.stack([sound(8000, seed) for seed in range(2)]))
    with torch.inference_mode():
        expected = model(0.25 * waves[:1] + 0.75 * waves[1:])["scores"]
        np.testing.assert_allclose(model(waves, torch.tensor([0.25]))["scores"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", ["Cnn14", "Wavegram_Logmel_Cnn14", "Cnn14_DecisionLevelAtt"])
def test_every_parameter_is_trained(variant):
    small = {"channels": (4, 4, 4, 4, 4, 4), "embedding": 8}
    model = Model(Config(**{**vars(VARIANTS[variant]), **small}), classes=("a", "b"))
    model(torch.from_numpy(np.stack([sound(20_000), sound(20_000, 1)])))["scores"].square().sum().backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


def test_mix_pairs_takes_neighbours():
    x = torch.arange(8.0).view(4, 2)
    np.testing.assert_allclose(mix_pairs(x, torch.tensor([1.0, 0.5])), [[0, 1], [5, 6]])
    assert mix_pairs(x, None) is x
