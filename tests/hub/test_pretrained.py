"""Models in folders: what is saved comes back, and nothing else gets in."""

import json
import pickle
import sys
import types
from dataclasses import dataclass

import pytest

from auricle.errors import AuricleError, WeightsError
from auricle.hub.pretrained import from_pretrained, push_to_hub, save_pretrained

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")

import tiny_tagger  # noqa: E402 (it needs torch)


@pytest.fixture
def model():
    torch.manual_seed(1)
    return tiny_tagger.Model(tiny_tagger.Config(filters=4, widths=(32, 16, 8), classes=("rain", "wind", "birds")))


@pytest.fixture
def folder(model, tmp_path):
    return save_pretrained(model, tmp_path / "model")


def test_a_model_comes_back(model, folder):
    again = from_pretrained(folder)
    assert again.config == model.config
    assert not again.training
    wave = torch.rand(2, 800) * 2 - 1
    with torch.inference_mode():
        assert torch.equal(again.tag(wave), model.eval().tag(wave))
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_nested_configurations_come_back():
    from auricle.hub.pretrained import _from_json

    @dataclass
    class Stage:
        width: int
        strides: tuple[int, ...] = ()

    globals()["Stage"] = Stage

    @dataclass
    class Whole:
        stages: tuple[Stage, ...]
        pairs: tuple[tuple[int, int], ...]
        names: list[str]
        extra: Stage | None = None

    whole = Whole((Stage(1, (2, 2)), Stage(3)), ((1, 2),), ["a"], Stage(5))
    from dataclasses import asdict

    try:
        assert _from_json(Whole, json.loads(json.dumps(asdict(whole)))) == whole
    finally:
        del globals()["Stage"]


def test_the_model_card_tells_of_the_run(model, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"recipe": {"steps": 30, "optim": {"lr": 0.001}}, "data": "abc123"}))
    (run / "finished.json").write_text(json.dumps({"step": 30, "best": {"step": 20, "mAP": 0.51234}}))
    card = (save_pretrained(model, tmp_path / "model", run=run) / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: auricle\n")
    assert "pipeline_tag: audio-classification" in card
    for line in ("| mAP | 0.5123 |", "| recipe.optim.lr | 0.001 |", "| data | abc123 |", "rain, wind, birds"):
        assert line in card
    chosen = save_pretrained(model, tmp_path / "model", run=run, metrics={"AUC": 0.9}) / "README.md"
    assert "| AUC | 0.9 |" in chosen.read_text()


def test_weights_of_another_model_are_refused(folder):
    about = json.loads((folder / "config.json").read_text())
    about["config"]["filters"] = 5
    (folder / "config.json").write_text(json.dumps(about))
    with pytest.raises(WeightsError, match="does not fit"):
        from_pretrained(folder)


def test_a_pickle_is_not_read(folder, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    (folder / "model.safetensors").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(WeightsError, match="does not fit"):
        from_pretrained(folder)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model": "os:system"}, "belongs to no system"),
        ({"model": "auricle.hub.card:Card"}, "describes no model"),
        ({"model": "tiny_tagger:Config"}, "describes no model"),
        ({"model": "tiny_tagger:Missing"}, "not in this auricle"),
        ({"config": {"unknown": 1}}, "has no unknown"),
        ({"config": None}, "describes no model"),
    ],
)
def test_a_configuration_can_name_models_of_systems_only(folder, change, problem):
    about = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(about))
    with pytest.raises(AuricleError, match=problem):
        from_pretrained(folder)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(WeightsError, match=r"no config\.json and no model\.safetensors"):
        from_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="no folder"):
        from_pretrained(tmp_path / "nowhere")
    with pytest.raises(AuricleError, match="no `config`"):
        save_pretrained(torch.nn.Linear(1, 1), tmp_path)


def test_three_files_go_to_the_hub_and_two_come_back(model, folder, tmp_path, monkeypatch):
    calls = []

    class HfApi:
        def __init__(self, **_):
            pass

        def create_repo(self, repository, **options):
            calls.append(("create", repository, options["private"]))
            return f"https://hub.example/{repository}"

        def upload_folder(self, **options):
            calls.append(("upload", options["repo_id"], options["allow_patterns"]))

    def snapshot_download(repository, **options):
        calls.append(("download", repository, options["allow_patterns"]))
        return str(folder)

    hub = types.SimpleNamespace(HfApi=HfApi, snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert push_to_hub(folder, "org/name", private=True) == "https://hub.example/org/name"
    assert from_pretrained("org/name").config == model.config
    files = ["config.json", "model.safetensors"]
    assert calls == [
        ("create", "org/name", True),
        ("upload", "org/name", [*files, "README.md"]),
        ("download", "org/name", files),
    ]
    with pytest.raises(WeightsError, match="holds no"):
        push_to_hub(tmp_path / "empty", "org/name")
