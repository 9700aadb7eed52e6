"""The contract that every system passes, whatever its paper: each is found by walking, none is listed here.

What a system must do depends on its kind and on what its module holds. A module with a ``Model`` is heard on sounds of
all lengths, in batches and alone, trained on one batch, saved, and exported; one with ``replicate`` runs its smoke.
"""

import dataclasses
import importlib
import inspect
import math
import time
from typing import Any

import numpy as np
import pytest

from auricle.hub import Card, systems
from auricle.hub.registry import GROUP, _own
from auricle.types import Ear

OWN = {card.name: (card, module) for card, module in _own()}
SMALL_AST = {"layers": 1, "width": 48, "heads": 3, "hidden": 96}
SMALL: dict[str, dict[str, Any]] = {  # architectures of systems whose default is too large for a test
    "panns": {"channels": (16, 32, 64, 128), "kernel": 5, "embedding": 128},
    "ast": SMALL_AST,
    "petl_ast": {"architecture": SMALL_AST},
    "ssast": SMALL_AST,
    "ssamba": {"layers": 2, "width": 48, "state": 4, "frames": 256},
    "hts_at": {"width": 16, "depths": (1, 2), "heads": (2, 4), "size": 64, "bands": 32, "seconds": 1.0},
    "passt": {"layers": 1, "width": 48, "heads": 3, "hidden": 96, "frames": 98},
    "beats": {"layers": 2, "width": 48, "heads": 3, "hidden": 96, "patch_width": 32, "kernel": 16},
    "mert": {"layers": 2, "width": 48, "heads": 3, "hidden": 96, "channels": 24, "kernel": 16, "groups": 4},
    "unfused": {"channels": 8, "width": 64},
    "bag_of_codes": {"hidden": 32, "codes": 16, "head": 32},
    "multitask_music_ssl": {"channels": (8,) * 8, "width": 16},
    "modnet": {"filters": 24, "modulations": 4, "blocks": (8, 8, 8, 8), "hidden": 32},
}
SMALL |= {key: {"stem": 8, "widths": (8, 8, 8, 8), "depths": (1, 1, 1, 1)} for key in ("bytecover", "bytecover3")}
PRESETS = {"paper", "mini", "smoke"}
EXPERIMENT = ("ARMS", "PRESETS", "claims", "replicate")
SMOKE = 120.0  # seconds of two cores' time together that a smoke may take


def module_of(name: str) -> Any:
    """The module of a system; skips where the extra that it needs is not installed."""
    card, module = OWN[name]
    if "train" in card.extras or module.startswith("auricle.train"):
        pytest.importorskip("torch", reason=f"{name} needs the extra [train]")
        pytest.importorskip("transformers", reason=f"{name} needs the extra [train]")
    return importlib.import_module(module)


def model_of(name: str) -> Any:
    """A small model of a system, in evaluation mode; skips a system that has none."""
    import torch

    module = module_of(name)
    if not hasattr(module, "Model"):
        pytest.skip(f"{name} has no Model")
    torch.manual_seed(0)
    config = module.Config(**SMALL.get(name, {}))
    needs = inspect.signature(module.Model).parameters
    required = "classes" in needs and needs["classes"].default is inspect.Parameter.empty
    return module.Model(config, **({"classes": ("one", "two", "three")} if required else {})).eval()


def wave(model: Any, *seconds: float, seed: int = 0) -> Any:
    """Noise bursts [batch, samples], a row for each of ``seconds`` of sound, filled with zeros."""
    import torch

    rng = np.random.default_rng(seed)
    waves = np.zeros((len(seconds), max(1, round(max(seconds) * model.sample_rate))), np.float32)
    for row, length in zip(waves, seconds, strict=True):
        samples = max(1, round(length * model.sample_rate))
        row[:samples] = rng.uniform(-0.5, 0.5, samples)
    return torch.from_numpy(waves)


@pytest.fixture(params=sorted(OWN))
def name(request) -> str:
    return request.param


def test_the_card_says_what_the_system_is(name):
    card, _ = OWN[name]
    assert isinstance(card, Card)
    assert card.title
    assert card.authors
    assert card.year
    assert card.task
    assert card.summary
    assert card.claim, "what is there to check?"
    assert card.code_licence
    assert systems()[name] is not None


def test_the_module_reads_as_one_paper(name):
    module = module_of(name)
    assert module.__doc__
    assert len(module.__doc__.splitlines()) >= 8, "the paper in ten lines"
    held = [part for part in EXPERIMENT if hasattr(module, part)]
    assert held in ([], list(EXPERIMENT)), f"{name} has {held} of an experiment"
    if held:
        assert set(module.PRESETS) >= PRESETS
        assert len(module.ARMS) >= 2, "a claim compares"
    if OWN[name][0].kind in ("model", "objective", "optimiser"):
        assert held or hasattr(module, "load")


def test_claims_are_judged_on_any_values(name):
    """Claims are sentences, there is at least one, and they can be judged before anything was trained."""
    module = module_of(name)
    if not hasattr(module, "claims"):
        pytest.skip(f"{name} has no experiment")

    class Anything(dict):
        def __missing__(self, key: str) -> Any:
            return np.linspace(0.4, 0.6, 3)

    judged = module.claims({arm: Anything() for arm in module.ARMS})
    assert judged
    assert all(isinstance(holds, bool) and len(claim.split()) > 3 for claim, holds in judged.items())


class TestModel:
    def test_it_says_what_it_hears_and_gives(self, name):
        import torch

        model = model_of(name)
        assert model.sample_rate > 0
        assert model.window is None or model.window > 0
        with torch.inference_mode():
            sound = wave(model, 1.0, 1.0)
            embedding = model.embed(sound)
            assert embedding.shape == (2, model.dim)
            assert embedding.dtype == torch.float32
            assert bool(embedding.isfinite().all())
            if model.classes:
                scores = model.tag(sound)
                assert scores.shape == (2, len(model.classes))
                assert bool(((scores >= 0) & (scores <= 1)).all())

    @pytest.mark.parametrize("samples", [1, 2, 399, 401, 12_345])
    def test_any_length_is_heard_or_refused_with_a_reason(self, name, samples):
        import torch

        model = model_of(name)
        with torch.inference_mode():
            for sound in (torch.zeros(1, samples), wave(model, samples / model.sample_rate)):
                try:
                    heard = model.embed(sound)
                except ValueError as refusal:
                    reason = str(refusal)
                    assert len(reason) > 10
                else:
                    assert bool(heard.isfinite().all())

    def test_a_sound_is_the_same_alone_and_in_a_batch_and_again(self, name):
        import torch

        model = model_of(name)
        sound = wave(model, 1.0, 0.6, 0.9)
        with torch.inference_mode():
            together, again = model.embed(sound), model.embed(sound)
            alone = torch.cat([model.embed(row[None]) for row in sound])
        assert torch.equal(together, again)
        scale = float(together.abs().max())
        assert float((together - alone).abs().max()) <= 1e-4 * max(scale, 1.0)

    def test_every_parameter_learns_and_one_batch_is_learnt(self, name):
        import torch

        from auricle.hub.export import sounds

        model = model_of(name)
        if not model.classes:
            pytest.skip(f"{name} has no classes to learn")
        torch.manual_seed(0)
        sound = torch.from_numpy(np.stack(sounds(model.sample_rate, model.sample_rate)[:4]))  # unlike each other
        targets = torch.zeros(4, len(model.classes))
        targets[range(4), [index % len(model.classes) for index in range(4)]] = 1.0
        weights = [p for p in model.parameters() if p.requires_grad]
        whole = len(weights) == len(list(model.parameters()))
        optimiser = torch.optim.Adam(weights, 1e-3 if whole else 3e-2)  # a part of them has to go further
        losses = []
        for step in range(40):
            loss = torch.nn.functional.binary_cross_entropy(model.tag(sound).clamp(1e-6, 1 - 1e-6), targets)
            optimiser.zero_grad()
            loss.backward()
            if step == 1:  # what starts at zero may hold back what is before it for one step
                still = [key for key, p in model.named_parameters() if p.requires_grad and p.grad is None]
                assert not still, f"no gradient reaches {still[0]}"
            optimiser.step()
            losses.append(loss.item())
        # On an encoder that is frozen, and here untrained, little can be learnt by heart.
        assert losses[-1] < (0.5 if whole else 0.95) * losses[0]

    def test_it_is_saved_and_comes_back(self, name, tmp_path):
        import torch

        from auricle.hub.pretrained import from_pretrained, save_pretrained

        model = model_of(name)
        again = from_pretrained(save_pretrained(model, tmp_path / "model"))
        sound = wave(model, 1.0)
        with torch.inference_mode():
            assert torch.equal(again.embed(sound), model.embed(sound))

    def test_it_is_an_ear(self, name):
        from auricle.hub.ear import TorchEar

        ear = TorchEar(name, model_of(name), window=1.0)
        assert isinstance(ear, Ear)
        sound = np.random.default_rng(0).uniform(-0.5, 0.5, ear.window + ear.hop).astype(np.float32)
        heard = ear.hear(sound)
        assert heard.embeddings.shape == (2, ear.dim)
        assert np.array_equal(ear.hear(sound[ear.hop :]).embeddings[0], heard.embeddings[1])

    @pytest.mark.slow
    @pytest.mark.filterwarnings("default")  # torch's exporter warns of itself
    def test_onnx_gives_the_same_numbers(self, name, tmp_path):
        from auricle.hub.export import export

        pytest.importorskip("onnxscript", reason="the extra [train] is not installed")
        parity = export(model_of(name), tmp_path / "model.onnx", name=name, window=1.0)
        assert max(parity.embedding, parity.scores) <= 1e-4


@pytest.mark.slow
def test_smoke(name, tmp_path):
    """The whole experiment in small: it trains, measures, and writes its result."""
    module = module_of(name)
    if not hasattr(module, "replicate"):
        pytest.skip(f"{name} has no experiment")
    from auricle.train.replicate import run

    begun = time.process_time()  # a busy machine is no slower experiment
    result = run(name, "smoke", folder=tmp_path)
    assert time.process_time() - begun < SMOKE
    assert set(result["arms"]) == set(module.ARMS)
    values = [metric["mean"] for arm in result["arms"].values() for metric in arm.values()]
    assert values
    assert all(math.isfinite(value) for value in values)
    assert result["verdict"] in ("replicated", "partly", "not")
    assert not any(tmp_path.iterdir()), "a smoke says nothing and is not kept"


def test_cards_are_complete_literals():
    assert GROUP == "auricle.systems"
    assert len({card.name for card, _ in OWN.values()}) == len(OWN)
    assert all(dataclasses.is_dataclass(card) for card, _ in OWN.values())
