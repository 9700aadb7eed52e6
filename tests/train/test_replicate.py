"""The replication runner on a system of its own."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from auricle.errors import AuricleError
from auricle.hub.card import Card
from auricle.train import replicate as runner
from auricle.train.recipe import Recipe

CARD = Card(name="coin", title="Coins", room="toys", kind="study")


@pytest.fixture
def coin(monkeypatch, tmp_path):
    """A system of two arms that counts how often each was run."""
    source = tmp_path / "coin.py"
    source.write_text("# version 1\n")
    module = ModuleType("coin")
    module.__file__ = str(source)
    module.calls = []

    def replicate(seed, arm, preset):
        if getattr(module, "stop", None) == (seed, arm):
            raise KeyboardInterrupt
        module.calls.append((seed, arm))
        return {"score": seed + (10.0 if arm == "new" else 0.0)}

    module.replicate = replicate
    module.claims = lambda values: {
        "new is better": bool((values["new"]["score"] > values["old"]["score"]).all()),
        "old is above 100": bool(values["old"]["score"].mean() > 100),
    }
    module.ARMS, module.SEEDS = ("old", "new"), 4
    module.PRESETS = {"mini": Recipe(), "smoke": Recipe()}
    monkeypatch.setitem(sys.modules, "coin", module)
    monkeypatch.setattr(runner, "module_of", lambda name: module)
    monkeypatch.setattr(runner, "systems", lambda: {"coin": CARD})
    return module


def test_a_result_holds_all_that_is_needed_to_judge_it(coin, tmp_path):
    result = runner.run("coin", folder=tmp_path / "results")
    assert json.loads((tmp_path / "results" / "toys" / "coin.json").read_text()) == result
    assert result["verdict"] == "partly"
    assert result["claims"] == {"new is better": True, "old is above 100": False}
    score = result["arms"]["new"]["score"]
    assert (score["values"], score["mean"]) == ([10, 11, 12, 13], 11.5)
    assert score["interval"] == pytest.approx(stats.t.interval(0.95, 3, 11.5, stats.sem(score["values"])))
    assert {
        "name",
        "room",
        "preset",
        "seeds",
        "commit",
        "versions",
        "machine",
        "data",
        "date",
        "seconds",
    } <= result.keys()
    assert [place.name for place in (tmp_path / "results" / "toys").iterdir()] == ["coin.json"]


def test_a_stopped_replication_goes_on_until_the_system_changes(coin, tmp_path):
    coin.stop = (2, "old")
    with pytest.raises(KeyboardInterrupt):
        runner.run("coin", folder=tmp_path / "results")
    coin.stop, coin.calls = (3, "new"), []
    with pytest.raises(KeyboardInterrupt):
        runner.run("coin", folder=tmp_path / "results")
    assert coin.calls == [(2, "old"), (2, "new"), (3, "old")]
    (tmp_path / "coin.py").write_text("# version 2\n")
    coin.stop, coin.calls = None, []
    runner.run("coin", folder=tmp_path / "results")
    assert len(coin.calls) == 8


def test_smoke_and_single_arms_are_not_written(coin, tmp_path):
    assert runner.run("coin", "smoke", folder=tmp_path / "results")["verdict"] == "partly"
    some = runner.run("coin", arms=["new"], seeds=2, folder=tmp_path / "results")
    assert "verdict" not in some
    assert not list((tmp_path / "results").rglob("*.json"))


def test_what_is_not_there_is_named(coin):
    with pytest.raises(AuricleError, match=r"no arm 'third'.*old, new"):
        runner.run("coin", arms=["third"])
    with pytest.raises(AuricleError, match=r"no preset 'huge'.*mini, smoke"):
        runner.run("coin", "huge")


@pytest.mark.parametrize(("claims", "verdict"), [([True], "replicated"), ([True, False], "partly"), ([False], "not")])
def test_verdicts(claims, verdict):
    assert runner.verdict(claims) == verdict


def test_a_single_seed_has_no_interval():
    assert runner.summary(np.array([3.0])) == {"values": [3.0], "mean": 3.0, "interval": None}
