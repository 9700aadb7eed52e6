"""``auricle train``, ``evaluate`` and ``replicate``."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.hub.ear import open_ear
from auricle.library import Library
from tests.cli.conftest import RATE, tone

SYSTEM = """
from auricle.train import Experiment
from tests.train.tiny import ITEMS, Noisy, Regress, recipe

PRESETS = {"mini": recipe(evaluate_every=6), "smoke": recipe(steps=2)}

def experiment(preset="mini"):
    def valid(task):
        return {"loss": float(sum(p.square().sum() for p in task.parameters()))}
    return Experiment(Regress(), Noisy(), PRESETS[preset], valid=valid, test=valid, data="fingerprint")
"""


@pytest.fixture
def system(tmp_path) -> Path:
    (tmp_path / "mine.py").write_text(SYSTEM)
    return tmp_path / "mine.py"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Path:
    """Six files each of low and of high tones, one of them in the wrong folder, and a broken one."""
    folder = tmp_path_factory.mktemp("labelled")
    for name, hertz in {"hum": 110.0, "whistle": 4000.0}.items():
        (folder / name).mkdir()
        for number in range(6):
            soundfile.write(folder / name / f"{name} {number}.wav", tone(hertz * (1 + number / 50), 2.5), RATE)
    soundfile.write(folder / "hum" / "stray.wav", tone(4100.0, 2.5), RATE)
    (folder / "hum" / "broken.wav").write_bytes(b"this is no sound")
    return folder


def test_trains_evaluates_and_goes_on(run, system, tmp_path):
    words = ("train", system, "--optim.lr", "0.02", "--out", tmp_path / "run", "--json")
    first = run(*words)
    assert first.code == 0, first.err
    result = json.loads(first.out)
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (about["recipe"]["optim"]["lr"], about["data"], about["preset"]) == (0.02, "fingerprint", "mini")
    assert {"commit", "versions"} <= about.keys()
    assert result["test"] == json.loads(run("evaluate", tmp_path / "run", "--json").out)
    assert json.loads(run(*words).out) == result


def test_an_unknown_option_of_a_recipe_is_refused(run, system):
    result = run("train", system, "--optim.lrr", "1")
    assert (result.code, result.out) == (2, "")
    assert "--optim.lr" in result.err


def test_help_lists_the_recipe(run, system):
    shown = run("train", system, "--preset", "smoke", "--help").out
    assert "--schedule.warmup" in shown
    assert "(default: 2)" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train",), "There is nothing to train"),
        (("train", "nosuch"), "there is no system 'nosuch'"),
        (("train", "nosuch.py"), "There is no file nosuch.py"),
        (("train", "yamnet"), "yamnet has nothing to train"),
        (("evaluate", "yamnet"), "yamnet has nothing to evaluate"),
        (("replicate", "yamnet"), "yamnet has no experiment to replicate"),
    ],
)
def test_what_cannot_be_done_is_said(run, words, message):
    result = run(*words)
    assert result.code == 1
    assert message in result.err


def test_a_preset_that_is_not_there(run, system):
    assert "Choose from: mini, smoke" in run("train", system, "--preset", "huge").err


def test_replicates(run, tmp_path):
    result = run("replicate", "adamp", "--arm", "toy", "--preset", "smoke", "--results", tmp_path, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["arms"]["toy"]["sgdp_norm_0"]["mean"] == pytest.approx(1.07, rel=0.01)
    assert not list(tmp_path.iterdir())


def test_own_sounds(run, labelled, tmp_path):
    result = run("train", "--data", labelled, "--ear", "fake_ear", "--out", tmp_path / "tones", "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert [(one["name"], one["files"]) for one in report["classes"]] == [("hum", 7), ("whistle", 6)]
    mistakes = {Path(one["path"]).name: one["taken_for"] for one in report["mistakes"]}
    assert mistakes["stray.wav"] == "whistle"
    confusion = np.array(report["confusion"])
    assert confusion.sum(axis=1).tolist() == [7, 6]
    assert report["accuracy"] == pytest.approx(confusion.trace() / 13, abs=1e-4)
    assert len(mistakes) == 13 - confusion.trace()
    assert "broken.wav" in report["refused"][0]
    page = (tmp_path / "tones" / "report.html").read_text()
    assert "stray.wav" in page
    assert "<audio" in page
    assert (tmp_path / "tones" / "confusion.svg").read_text().startswith("<svg")


def test_own_sounds_are_an_ear(run, labelled, sounds, tmp_path):
    run("train", "--data", labelled, "--ear", "fake_ear", "--out", tmp_path / "tones")
    ear = open_ear(str(tmp_path / "tones"))
    assert tuple(ear.classes) == ("hum", "whistle")
    heard = ear.hear(np.resize(tone(4000, 5), ear.window))
    assert heard.scores[0, 1] > 0.5 > heard.scores[0, 0]
    indexed = run("index", sounds, "--ear", tmp_path / "tones", "--library", tmp_path / "library", "--json")
    assert json.loads(indexed.out)["ear"] == ear.name
    hits = run("search", "whistle", "--library", tmp_path / "library", "--json")
    assert {Path(hit["path"]).name for hit in json.loads(hits.out)[:2]} <= {"high 1.wav", "high 2.wav", "long.flac"}


def test_own_sounds_are_tags(run, labelled, own, tmp_path):
    words = ("train", "--data", labelled, "--out", tmp_path / "tones", "--ear", "fake_ear", "--tags", "--library", own)
    result = run(*words)
    assert result.code == 0, result.err
    names = {taught.name for taught in Library(own, ear="fake_ear").teacher()}
    assert names == {"hum", "whistle"}
    tagged = Library(own, ear="fake_ear").recordings("array_has(tags, 'whistle')")
    assert {Path(recording.path).name for recording in tagged} >= {"high 1.wav", "high 2.wav"}
    assert not {"low 1.wav", "low 2.wav"} & {Path(recording.path).name for recording in tagged}


@pytest.mark.parametrize(
    ("files", "message"), [({"one": 6}, "holds 1 classes"), ({"one": 6, "two": 4}, "holds 4 files that can be heard")]
)
def test_too_little_to_learn_from(run, tmp_path, files, message):
    for name, count in files.items():
        (tmp_path / "few" / name).mkdir(parents=True)
        for number in range(count):
            soundfile.write(tmp_path / "few" / name / f"{number}.wav", tone(200, 2.0), RATE)
    result = run("train", "--data", tmp_path / "few", "--ear", "fake_ear", "--out", tmp_path / "out")
    assert result.code == 1
    assert message in result.err
