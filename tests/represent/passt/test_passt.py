"""PaSST against the authors' hear21passt (commit 5f1cce6), run on the weights and sounds of ``known``."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from auricle import hub  # noqa: E402
from auricle.errors import WeightsError  # noqa: E402
from auricle.hub import hear  # noqa: E402
from auricle.hub.pretrained import save_pretrained  # noqa: E402
from auricle.represent import passt  # noqa: E402
from auricle.represent.passt import Config, Model, training  # noqa: E402
from auricle.represent.passt.model import around, left_out  # noqa: E402
from tests.represent.passt.known import drawn, sound  # noqa: E402

REFERENCE = np.load(Path(__file__).parent / "reference.npz")
SMALL = Config(width=64, layers=3, heads=1, hidden=256)
TINY = Config(width=16, layers=1, heads=2, hidden=32, bands=32, frames=46, drop_columns=1, drop_rows=0)


pytestmark = pytest.mark.usefixtures("one_thread")


def official_state(config: Config = SMALL, classes: int = 5) -> dict[str, torch.Tensor]:
    """A state dict of the authors' class."""
    d, rows, columns = config.width, *config.grid
    shapes = {
        "cls_token": (1, 1, d),
        "dist_token": (1, 1, d),
        "new_pos_embed": (1, 2, d),
        "freq_new_pos_embed": (1, d, rows, 1),
        "time_new_pos_embed": (1, d, 1, columns),
        "patch_embed.proj": (d, 1, config.patch, config.patch),
        "attn.qkv": (3 * d, d),
        "attn.proj": (d, d),
        "mlp.fc1": (config.hidden, d),
        "mlp.fc2": (d, config.hidden),
        "norm": (d,),
        "norm1": (d,),
        "norm2": (d,),
        "head.0": (d,),
        "head.1": (classes, d),
        "head_dist": (classes, d),
    }
    state = {}
    for name in map(str, REFERENCE["names"]):
        if name.startswith("blocks.") and int(name.split(".")[1]) >= config.layers:
            continue
        part = next(part for part in shapes if part in (name, name.rpartition(".")[0]) or f".{part}." in name)
        shape = shapes[part][:1] if name.endswith(".bias") else shapes[part]
        state[name] = torch.from_numpy(np.asarray(drawn(name, shape), np.float32))
    return state


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("passt") / "passt-s-f128-p16-s10-ap.476-swa.pt"
    torch.save(official_state(), path)
    return path


def sounds() -> torch.Tensor:
    return torch.from_numpy(np.stack([sound(96_000), sound(96_000, seed=1)]))


def same(ours, theirs, name=""):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max(), err_msg=name)


def test_every_stage_is_the_authors(checkpoint):
    model = hub.load("passt", path=checkpoint)
    assert (model.config, len(model.classes), model.window) == (SMALL, 5, 10.0)
    stages = {}

    def note(name, change=lambda x: x):
        return lambda _module, _inputs, x: stages.update({name: change(x)})

    model.front_end.register_forward_hook(note("mel", lambda x: x.transpose(1, 2)))
    model.patches.register_forward_hook(note("patches"))
    model.norm.register_forward_hook(note("norm"))
    for i, layer in enumerate(model.layers):
        layer.register_forward_hook(note(f"layer{i}"))
    with torch.inference_mode():
        same(model.get_scene_embeddings(sounds()), REFERENCE["scene"])
        for name, x in stages.items():
            flat = x.reshape(2, -1)
            same(flat[:, :: max(1, flat.shape[1] // 200)][:, :220], REFERENCE[name], name)
    assert len(stages) == 6


def test_a_long_scene_is_the_mean_of_windows(checkpoint):
    with torch.inference_mode():
        same(
            passt.load(path=checkpoint).get_scene_embeddings(torch.from_numpy(sound(400_000, 2))[None]),
            REFERENCE["long"],
        )


@pytest.mark.parametrize(("level", "size"), [("base", 69), ("2lvl", 138), ("2lvlmel", 906)])
def test_timestamps_of_all_levels_are_the_authors(checkpoint, level, size):
    model = hear.load_model(f"passt@{level}={checkpoint}" if level != "base" else f"passt={checkpoint}")
    assert (model.scene_embedding_size, model.timestamp_embedding_size) == (69, size)
    embeddings, times = hear.get_timestamp_embeddings(sounds()[:, :16_000], model)
    assert embeddings.shape == (2, 11, size)
    same(embeddings[:, :, :: 1 if level == "base" else 7], REFERENCE[level])
    np.testing.assert_allclose(times, REFERENCE["times"])
    assert hear.get_scene_embeddings(sounds()[:, :16_000], model).shape == (2, 69)


def test_the_published_network_has_its_size():
    with torch.device("meta"):
        model = Model()
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == pytest.approx(85.7e6, rel=0.01)
    assert model.config.grid == (12, 99)
    assert (model.scene_embedding_size, model.timestamp_embedding_size) == (1295, 1295)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("passt-s-f128-p16-s12-ap.473.pt", {"stride": 12, "frames": 998}),
        ("passt-s-f128-p16-s14-ap.471.pt", {"stride": 14, "frames": 998}),
        ("passt-s-f128-p16-s16-ap.468.pt", {"stride": 16, "frames": 998}),
        ("passt-s-f128-stfthop100-p16-s10-ap.473-swa.pt", {"hop": 100, "frames": 3200}),
        ("passt-s-f128-stfthop160-p16-s10-ap.473-swa.pt", {"hop": 160, "frames": 2000}),
        ("passt-s-f128-20sec-p16-s10-ap.474-swa.pt", {"frames": 2000}),
        ("passt-s-f128-30sec-p16-s10-ap.473-swa.pt", {"frames": 3000}),
    ],
)
def test_strides_hops_and_lengths_are_told_from_the_tensors(tmp_path, name, expected):
    config = Config(**{**vars(SMALL), "layers": 1, **expected})
    torch.save({"model": official_state(config)}, tmp_path / name)
    model = passt.load(path=tmp_path / name)
    assert model.config == config
    assert model.window == {2000: 20.0, 3000: 30.0}.get(config.frames if config.hop == 320 else 0, 10.0)


def test_what_cannot_be_loaded_says_why(tmp_path):
    with pytest.raises(WeightsError, match=r"not fetched.*ap.486.pt"):
        passt.load("s-kd-p16-128-ap486")
    with pytest.raises(WeightsError, match="there is no passt@xl"):
        passt.load("xl")
    save_file({"head.1.bias": torch.zeros(5)}, tmp_path / "half.safetensors")
    with pytest.raises(WeightsError, match="does not hold the weights of a PaSST"):
        passt.load(path=tmp_path / "half.safetensors")


def test_an_image_transformer_is_where_it_begins():
    model = Model(SMALL, range(5))
    deit = {name: tensor for name, tensor in official_state().items() if "new_pos" not in name}
    deit["patch_embed.proj.weight"] = deit["patch_embed.proj.weight"].repeat(1, 3, 1, 1) / 3
    rows, columns = torch.arange(24.0), 100 * torch.arange(24.0)
    square = (rows[:, None] + columns).reshape(1, 576, 1).expand(-1, -1, 64)
    deit["pos_embed"] = torch.cat((torch.full((1, 2, 64), -5.0), square), dim=1)
    model.load_state_dict(passt.from_imagenet(deit, model))
    torch.testing.assert_close(model.patches.weight, official_state()["patch_embed.proj.weight"])
    assert torch.equal(model.positions, torch.full((1, 2, 64), -5.0))
    assert bool((model.rows[0, 0, :, 0].diff() > 0).all())
    assert model.columns.mean().item() == pytest.approx(11.5 + 1150, rel=1e-3)


class TestPatchout:
    def test_columns_and_rows_are_left_out_in_order(self):
        torch.manual_seed(0)
        x = torch.arange(12 * 99.0).view(1, 1, 12, 99)
        kept = left_out(left_out(x, 3, 40), 2, 4)[0, 0]
        assert kept.shape == (8, 59)
        assert bool((kept[:, 1:] > kept[:, :-1]).all())
        assert bool((kept[1:] > kept[:-1]).all())
        assert len({int(row[0]) // 99 for row in kept}) == 8

    def test_one_place_always_stays(self):
        assert left_out(torch.zeros(1, 1, 1, 9), 3, 40).shape[3] == 1

    def test_training_sees_fewer_tokens_and_hearing_all(self):
        mel = torch.randn(2, 998, 128)
        model = Model(SMALL, ("a",))
        assert model.train().embed_patches(mel).shape[1] == 2 + 8 * 59
        assert model.eval().embed_patches(mel).shape[1] == 2 + 12 * 99
        unstructured = Model(Config(**{**vars(SMALL), "drop_columns": 0, "drop_rows": 0, "drop_tokens": 400}), ("a",))
        assert unstructured.train().embed_patches(mel).shape[1] == 2 + 788

    def test_the_tokens_that_stay_are_the_same(self):
        torch.manual_seed(0)
        mel = torch.randn(1, 46, 32)
        model = Model(TINY, ("a",))
        model.load_state_dict({**model.state_dict(), "columns": torch.randn_like(model.columns)})
        every, some = model.eval().embed_patches(mel)[0], model.train().embed_patches(mel)[0]
        assert len(some) == len(every) - TINY.grid[0]
        assert all(any(torch.allclose(one, other, atol=1e-6) for other in every) for one in some)


def test_windows_are_around_their_times():
    x = torch.arange(1.0, 101.0)[None]
    windows = around(x, 10, 20)
    assert windows.shape == (1, 6, 10)
    assert windows[0, 1].tolist() == list(range(16, 26))
    assert windows[0, 0, 5] == 1
    assert windows[0, 0, 4] == 2  # reflected
    assert around(torch.ones(1, 3), 10, 2).shape == (1, 4, 10)  # too short to reflect: filled first


def test_what_is_longer_than_the_positions_is_not_heard():
    model = Model(TINY, ("a",)).eval()
    wave = torch.randn(1, 16_000)
    assert torch.equal(model.embed(wave[:, :15_500]), model.embed(wave))


def test_the_bank_moves_in_training_only():
    front_end = Model(TINY, ("a",)).front_end
    wave = torch.randn(1, 16_000)
    assert torch.equal(front_end.eval()(wave), front_end(wave))
    torch.manual_seed(0)
    assert not torch.equal(front_end.train()(wave), front_end(wave))


def test_mixing_keeps_the_larger_share():
    torch.manual_seed(0)
    x, target = torch.eye(8)[:, None], torch.eye(8)
    both, labels = training.mixed(x, target, 0.3)
    assert torch.equal(both[:, 0], labels)
    assert bool((labels.diagonal() >= 0.5).all())
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(8))


def test_the_loss_without_augmentation_is_the_cross_entropy():
    task = passt.Task(Model(TINY, ("a", "b")).eval(), augment=False)
    wave, target = torch.randn(3, 16_000), torch.tensor([0, 1, 1])
    expected = torch.nn.functional.cross_entropy(task.model(wave)["logits"], target)
    torch.testing.assert_close(task.training_step({"wave": wave, "target": target})["loss"], expected)
    many = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    expected = torch.nn.functional.binary_cross_entropy(task.model.tag(wave), many)
    torch.testing.assert_close(task.training_step({"wave": wave, "target": many})["loss"], expected)
    assert passt.Task(task.model.train()).training_step({"wave": wave, "target": many})["loss"].isfinite()


def test_a_folder_of_ones_own_has_the_interface_too(tmp_path):
    model = hear.load_model(str(save_pretrained(Model(TINY, ("a", "b")), tmp_path / "own")))
    assert model.scene_embedding_size == 18
    assert hear.get_scene_embeddings(torch.zeros(2, 16_000), model).shape == (2, 18)


def test_claims_ask_for_more_than_a_tie():
    tie = {arm: {"accuracy": np.full(3, 0.5), "step_seconds": np.full(3, 1.0)} for arm in passt.ARMS}
    assert [*passt.claims(tie).values()] == [False, True, True, False]
    fast = {"accuracy": np.full(3, 0.6), "step_seconds": np.full(3, 0.5)}
    assert all(passt.claims(dict.fromkeys(passt.ARMS, fast) | {"none": tie["none"]}).values())
