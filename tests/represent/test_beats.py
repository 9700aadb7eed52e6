"""BEATs against the authors' code (microsoft/unilm 768a3c8) with drawn weights, stage by stage; and its training."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from torch.nn import functional  # noqa: E402

from auricle.errors import WeightsError  # noqa: E402
from auricle.represent import beats  # noqa: E402
from auricle.represent.beats.model import Config, Model, config_of, fewer  # noqa: E402
from auricle.represent.beats.tokenizer import Codebook, Distillation, RandomTokenizer, Tokenizer, kmeans  # noqa: E402
from tests.represent import seeded  # noqa: E402
from tests.represent.learning import learns  # noqa: E402

KNOWN, SHAPES = seeded.fixture("beats")
CFG = json.loads(str(KNOWN["cfg"])) | {"layer_norm_first": False}
SMALL = Config(width=32, layers=2, heads=4, hidden=64, patch_width=24, kernel=16, groups=4, dropout=0.0)
NEAR = {"rtol": 1e-4, "atol": 1e-4}


pytestmark = pytest.mark.usefixtures("one_thread")


def wave() -> torch.Tensor:
    noise = torch.from_numpy((0.3 * np.random.default_rng(0).standard_normal((2, 20_000))).astype(np.float32))
    noise[1] *= torch.linspace(0, 1, 20_000)
    return noise


def padding() -> torch.Tensor:
    mask = torch.zeros(2, 20_000, dtype=torch.bool)
    mask[1, 13_000:] = True
    return mask


def authors_state(kind: str) -> dict[str, torch.Tensor]:
    shared = "encoder.layers.0.self_attn.relative_attention_bias.weight"
    state = seeded.state(SHAPES[kind])
    state |= {name: state[shared] for name in state if "relative_attention_bias" in name}
    for name in state:
        if name.endswith("initted"):
            state[name] = torch.ones(1)
        if name == "quantize.embedding.weight":
            state[name] = functional.normalize(state[name], dim=-1)
    return state


@pytest.fixture
def saved(tmp_path):
    def save(kind: str, **more) -> str:
        extra = {"label_dict": more.pop("labels")} if "labels" in more else {}
        torch.save({"cfg": CFG | more, "model": authors_state(kind)} | extra, tmp_path / "BEATs.pt")
        return str(tmp_path / "BEATs.pt")

    return save


def test_every_stage_is_that_of_the_authors_code(saved):
    model = beats.load("iter3plus-as2m", path=saved("encoder"))
    encoder = model.encoder
    with torch.inference_mode():
        mel = model.front_end(wave())
        np.testing.assert_allclose(mel, KNOWN["fbank"], **NEAR)
        x = encoder.project(encoder.patch_norm(encoder.patches(mel[:, None]).flatten(2).transpose(1, 2)))
        np.testing.assert_allclose(x, KNOWN["projected"], **NEAR)
        bias = encoder.layers.bias(torch.arange(60)[None])
        np.testing.assert_allclose(bias[0, :, :1], KNOWN["bias"], **NEAR)
        heard = model(wave())
        np.testing.assert_allclose(heard["tokens"], KNOWN["tokens"], **NEAR)
        np.testing.assert_allclose(heard["embedding"], KNOWN["tokens"].mean(axis=1), **NEAR)


def test_padding_is_not_heard(saved):
    model = beats.load(path=saved("encoder"))
    hidden = fewer(fewer(padding(), KNOWN["fbank"].shape[1]), KNOWN["tokens"].shape[1])
    assert np.array_equal(hidden, KNOWN["padding"])
    with torch.inference_mode():
        heard = model(wave(), padding())
    np.testing.assert_allclose(heard["tokens"][~hidden], KNOWN["padded"][~KNOWN["padding"]], **NEAR)
    np.testing.assert_allclose(heard["embedding"][1], KNOWN["padded"][1][~KNOWN["padding"][1]].mean(axis=0), **NEAR)


def test_a_fine_tuned_model_names_its_columns(saved):
    labels = {0: "/m/04rlf", 1: "/m/09x0r", 2: "/m/0bt9lr", 3: "/m/unknown", 4: "/m/028v0c"}
    path = saved("tagger", finetuned_model=True, predictor_class=5, labels=labels)
    model = beats.load(path=path)
    assert model.classes == ("Music", "Speech", "Dog", "/m/unknown", "Silence")
    with torch.inference_mode():
        np.testing.assert_allclose(model.tag(wave()), KNOWN["scores"], **NEAR)
        np.testing.assert_allclose(model(wave(), padding())["scores"], KNOWN["padded_scores"], **NEAR)


def test_a_tokenizer_gives_the_authors_labels(saved):
    tokenizer = beats.load_tokenizer(saved("tokenizer", quant_n=16, quant_dim=8))
    labels = tokenizer(Model(tokenizer.config).front_end(wave()))
    assert np.mean(labels.flatten().numpy() == KNOWN["labels"]) == 1.0


def test_the_codebook_follows_as_in_the_authors_code():
    codebook = Codebook(6, 4)
    codebook.codes.copy_(functional.normalize(seeded.tensor("codes", [6, 4]), dim=-1))
    codebook.started.fill_(1)
    x = seeded.tensor("z", [3, 5, 4]).requires_grad_()
    quantised, labels, distance = codebook(x)
    np.testing.assert_allclose(quantised.detach(), KNOWN["q/quantised"], rtol=0, atol=1e-6)
    assert np.array_equal(labels.flatten(), KNOWN["q/labels"])
    assert float(distance.detach()) == pytest.approx(float(KNOWN["q/loss"]), rel=1e-5)
    np.testing.assert_allclose(codebook.codes, KNOWN["q/codes"], rtol=0, atol=1e-6)
    quantised.sum().backward()
    assert x.grad is not None
    assert 1 <= codebook.perplexity() <= 6


def test_kmeans_finds_what_is_there():
    centres = functional.normalize(torch.eye(3, 5), dim=-1)
    torch.manual_seed(1)
    x = functional.normalize(centres.repeat_interleave(20, 0) + 0.02 * torch.randn(60, 5), dim=-1)
    found = kmeans(x[torch.randperm(60)], 3)
    assert ((found @ centres.T).amax(dim=1) > 0.99).all()


def test_the_published_size():
    with torch.device("meta"):
        model = Model()
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(90.3, abs=0.1)


def test_visible_tokens_know_their_places():
    """With all visible, in any order, the encoder gives what it gives without being told."""
    torch.manual_seed(0)
    encoder = Model(SMALL).encoder.eval()
    mel = torch.randn(2, 64, 128)
    with torch.inference_mode():
        everything = encoder(mel)
        order = torch.stack([torch.randperm(32) for _ in range(2)])
        shuffled = encoder(mel, visible=order)
        np.testing.assert_allclose(shuffled, everything.gather(1, order[..., None].expand_as(everything)), **NEAR)
        hidden = mel.clone()
        hidden[:, 32:] += 100.0  # of patches that are not seen
        few = torch.arange(16)[None].expand(2, -1)
        np.testing.assert_allclose(encoder(hidden, visible=few), encoder(mel, visible=few), **NEAR)


def test_the_random_tokenizer_is_a_slow_search():
    tokenizer = RandomTokenizer(SMALL, codes=9, width=6)
    mel = torch.randn(1, 35, 128)
    labels = tokenizer(mel)[0]
    assert labels.shape == (16,)
    for place in range(16):
        row, column = divmod(place, 8)
        patch = mel[0, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16].flatten().numpy().astype(float)
        patch = (patch - patch.mean()) / np.sqrt(patch.var() + 1e-5)
        projected = patch @ tokenizer.projection.numpy()
        distance = [np.linalg.norm(projected / np.linalg.norm(projected) - code) for code in tokenizer.codes.numpy()]
        assert labels[place] == np.argmin(distance)


def learns_noise(task: torch.nn.Module) -> None:
    torch.manual_seed(0)
    learns(task, {"wave": 0.1 * torch.randn(4, 16_000)}, steps=40, lr=3e-3, to=0.9)


def test_labels_are_learned():
    learns_noise(beats.Task(Model(SMALL), RandomTokenizer(SMALL, 8, 8), 1))


def test_a_tokenizer_is_taught_by_tokens_and_by_logits():
    torch.manual_seed(0)
    for classes in ((), ("a", "b", "c")):
        tokenizer, teacher = Tokenizer(SMALL, 8, 8), Model(SMALL, classes)
        before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
        learns_noise(Distillation(tokenizer, teacher, 1))
        assert tokenizer.codebook.started
        assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
        labels = tokenizer.eval()(torch.randn(1, 32, 128))
        assert labels.shape == (1, 16)
        assert 0 <= labels.min() <= labels.max() < 8


def test_wrong_files_are_refused(tmp_path, saved):
    with pytest.raises(WeightsError, match="BEATs_iter3_plus_AS2M"):
        beats.load("iter3plus-as2m")
    with pytest.raises(WeightsError, match="no BEATs 'iter9'"):
        beats.load("iter9")
    torch.save({"something": 1}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="holds no 'cfg'"):
        beats.load(path=tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="layers are not BEATs'"):
        beats.load(path=saved("encoder", deep_norm=False))
    assert config_of(CFG).distance == 40
