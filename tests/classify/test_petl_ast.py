"""PETL-AST: the paper's parameter counts, what is trained and what stays, on a transformer and on a CNN."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.classify import petl_ast  # noqa: E402
from auricle.classify.petl_ast import METHODS, Config, Model, merge  # noqa: E402
from auricle.hub.pretrained import from_pretrained, save_pretrained  # noqa: E402
from auricle.represent import ast, panns  # noqa: E402

COUNTS = {  # table 1, exactly
    "linear": 0,
    "bitfit": 102_912,
    "spt_300": 230_400,
    "dpt_25": 230_400,
    "prefix_24": 221_184,
    "lora": 221_184,
    "bottleneck_pfeiffer": 248_976,
    "bottleneck_houlsby": 497_952,
    "conformer_pfeiffer": 270_720,
    "conformer_houlsby": 541_440,
}
CLASSES = ("a", "b", "c")


@pytest.fixture(autouse=True)
def quiet():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def tiny(classes=("x", "y")) -> ast.Model:
    return ast.Model(ast.Config(width=16, layers=3, heads=2, hidden=32, bands=32, frames=48), classes)


def small(name: str) -> Config:
    config = METHODS[name]
    return Config(**{**vars(config), "tokens": min(config.tokens, 4), "rank": 2, "kernel": 5})


def waves(batch: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(-0.5, 0.5, (batch, 8000)).astype(np.float32))


@pytest.mark.parametrize("name", COUNTS)
def test_trained_parameters_of_ast_are_as_many_as_the_papers(name):
    with torch.device("meta"):
        model = Model(METHODS[name], range(50), ast.Model(ast.Config(frames=500)))
    assert model.trained() == COUNTS[name]


def test_full_fine_tuning_trains_all_but_the_old_classifier():
    with torch.device("meta"):
        encoder = ast.Model(ast.Config(frames=500))
        model = Model(METHODS["full"], range(50), encoder)
    assert model.trained() == sum(
        parameter.numel() for name, parameter in encoder.named_parameters() if not name.startswith("classifier.")
    )


@pytest.mark.parametrize("name", METHODS)
def test_what_is_trained_gets_a_gradient_and_the_rest_stays(name):
    model = Model(small(name), CLASSES, tiny()).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for module in model.modules():  # a step away from the start, where half of every adapter has no gradient yet
        if isinstance(module, petl_ast.ADDED) and hasattr(module, "up"):
            torch.nn.init.normal_(module.up.weight)
    optimiser = torch.optim.SGD([parameter for parameter in model.parameters() if parameter.requires_grad], lr=0.1)
    petl_ast.Task(model).training_step({"wave": waves(), "target": torch.tensor([0, 1])})["loss"].backward()
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert not [key for key, parameter in model.named_parameters() if key in trained and parameter.grad is None]
    optimiser.step()
    after = model.state_dict()
    statistics = {key for key in before if "running" in key or "tracked" in key}
    assert all(
        torch.equal(before[key], after[key]) for key in before.keys() - trained - statistics if ".up." not in key
    )
    assert {"head.weight", "head.bias"} <= trained


@pytest.mark.parametrize(
    "name", ["bitfit", "lora", "bottleneck_houlsby", "conformer_houlsby", "bottleneck_parallel_mhsa"]
)
def test_adaptation_starts_as_no_change(name):
    encoder = tiny().eval()
    expected = encoder(waves())["tokens"].mean(1)
    torch.testing.assert_close(Model(small(name), CLASSES, encoder).eval().embed(waves()), expected)


def test_prompts_stand_where_the_second_learned_token_stood():
    encoder = tiny()
    rows, columns = encoder.config.grid
    shallow = Model(small("spt_300"), CLASSES, encoder)
    assert shallow.prompts(encoder.tokenise(waves())).shape[1] == 1 + 4 + rows * columns
    deep = Model(small("dpt_25"), CLASSES, tiny())
    assert [type(layer).__name__ for layer in deep.encoder.layers] == ["Layer", "PromptedLayer", "PromptedLayer"]
    assert deep.embed(waves()).shape == (2, 16)


def test_lora_merges_without_a_trace():
    model = Model(small("lora"), CLASSES, tiny()).eval()
    for module in model.modules():
        if isinstance(module, petl_ast.LoRA):
            torch.nn.init.normal_(module.up.weight)
    with torch.no_grad():
        expected = model.tag(waves())
        torch.testing.assert_close(merge(model).tag(waves()), expected)
    assert not [module for module in model.modules() if isinstance(module, petl_ast.LoRA)]


def test_another_length_cuts_the_positions_or_forgets_them():
    fitted = Model(Config("linear"), CLASSES, tiny(), seconds=0.8)
    assert fitted.encoder.config.frames == 79
    assert fitted.tag(waves()).shape == (2, 3)
    assert fitted.encoder.positions.abs().max() > 0
    forgotten = Model(Config("linear", positions="reinitialise"), CLASSES, tiny(), seconds=0.8)
    assert not forgotten.encoder.positions.any()


@pytest.mark.parametrize("name", ["full", "linear", "bitfit"])
def test_a_cnn_is_adapted_by_what_needs_no_transformer(name):
    encoder = panns.Model(panns.Config(channels=(4, 8), kernel=5, embedding=6), classes=("x",))
    model = Model(METHODS[name], CLASSES, encoder).train()
    assert model.tag(waves()).shape == (2, 3)
    assert encoder.bn0.training == (name == "full")


def test_a_cnn_has_no_place_for_adapters():
    encoder = panns.Model(panns.Config(channels=(4, 8), kernel=5, embedding=6), classes=("x",))
    with pytest.raises(ValueError, match="no transformer layers for lora"):
        Model(METHODS["lora"], CLASSES, encoder)


def test_a_model_comes_back_from_its_folder(tmp_path):
    model = Model(small("conformer_houlsby"), CLASSES, tiny(), seconds=0.8).eval()
    torch.nn.init.normal_(model.encoder.layers[0].attention.adapter.up.weight)
    again = from_pretrained(save_pretrained(model, tmp_path / "model"))
    assert again.classes == CLASSES
    with torch.no_grad():
        torch.testing.assert_close(again.tag(waves()), model.tag(waves()))


@pytest.mark.parametrize("family", petl_ast.FAMILIES)
def test_synthetic_sounds_are_waveforms(family):
    sound = petl_ast.synthesise(family, 800.0, np.random.default_rng(0))
    assert sound.shape == (16_000,)
    assert np.abs(sound).max() == pytest.approx(0.5)


def values(**accuracies):
    default = {"accuracy": np.full(5, 0.8), "few_accuracy": np.full(5, 0.5), "share": np.full(5, 0.01)}
    return {arm: default | {"accuracy": np.full(5, accuracies.get(arm, 0.8))} for arm in petl_ast.ARMS}


def test_claims_judge_the_order_of_the_means():
    good = values(linear=0.5, bitfit=0.7, dpt=0.7)
    assert all(petl_ast.claims(good).values())
    assert sum(petl_ast.claims(values(linear=0.9, bitfit=0.95, dpt=0.7)).values()) == 2


@pytest.mark.parametrize("arm", ["linear", "conformer"])
def test_an_arm_runs(arm):
    metrics = petl_ast.replicate(0, arm, "smoke")
    assert 0 <= metrics["accuracy"] <= 1
    assert 0 <= metrics["share"] < 0.05
