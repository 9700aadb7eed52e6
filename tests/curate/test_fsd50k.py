"""FSD50K is read in its true layout; patches, trunks and scores are as the paper has them."""

import csv
import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

torch = pytest.importorskip("torch")

from auricle.curate import fsd50k  # noqa: E402
from auricle.data import sets  # noqa: E402
from auricle.errors import DataError  # noqa: E402

NAMES = ["Accordion", "Crash_cymbal", "Bark", "Dog", "Animal", *(f"Class_{i}" for i in range(195))]
CODES = [f"/m/{i:05d}" for i in range(200)]


@pytest.fixture
def copy(tmp_path):
    """A copy with six clips, of which one sound is there, and quoted labels as they are published."""
    truth, metadata = tmp_path / "FSD50K.ground_truth", tmp_path / "FSD50K.metadata"
    truth.mkdir()
    metadata.mkdir()
    with (truth / "vocabulary.csv").open("w", newline="") as file:
        csv.writer(file).writerows((i, name, code) for i, (name, code) in enumerate(zip(NAMES, CODES, strict=True)))
    mids = dict(zip(NAMES, CODES, strict=True))

    def table(name, head, clips):
        with (truth / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            for fname, labels, *rest in clips:
                writer.writerow([fname, ",".join(labels), ",".join(mids[label] for label in labels), *rest])

    bark = ["Bark", "Dog", "Animal"]
    table("dev.csv", ["fname", "labels", "mids", "split"], [(64760, bark, "train"), (16399, ["Accordion"], "val")])
    table("eval.csv", ["fname", "labels", "mids"], [(37199, bark), (175151, ["Crash_cymbal"])])
    info = {"64760": {"title": "dog", "uploader": "someone", "license": "http://creativecommons.org/licenses/by/3.0/"}}
    (metadata / "dev_clips_info_FSD50K.json").write_text(json.dumps(info))
    (tmp_path / "FSD50K.dev_audio").mkdir()
    (tmp_path / "FSD50K.dev_audio/64760.wav").touch()
    return tmp_path


def test_the_true_layout_is_read(copy):
    manifest = fsd50k.read(copy)
    assert manifest.classes == tuple(NAMES)  # the vocabulary's order, not the alphabet's
    first = next(iter(manifest))
    assert first["path"] == "FSD50K.dev_audio/64760.wav"
    assert first["labels"] == ["Bark", "Dog", "Animal"]
    assert (first["source"], first["split"]) == ("someone", "train")
    assert manifest.column("split") == ["train", "valid", "test", "test"]
    assert manifest.targets(multilabel=True).sum(0)[:5].tolist() == [1, 1, 2, 2, 2]
    report = sets.report("fsd50k", copy)
    assert (report.present, report.complete) == (1, False)
    assert "train: 1 of 36,796 clips listed" in str(report)


def test_what_is_wrong_is_said(copy):
    dev = copy / "FSD50K.ground_truth/dev.csv"
    dev.write_text(dev.read_text().replace("/m/00002", "/m/00009"))
    with pytest.raises(DataError, match="the mids of 64760"):
        fsd50k.read(copy)
    (copy / "FSD50K.ground_truth/vocabulary.csv").write_text("0,Accordion,/m/0\n")
    with pytest.raises(DataError, match="1 classes, not 200"):
        fsd50k.read(copy)


def test_labels_go_up_the_ontology():
    parents = {"Bark": ["Dog"], "Dog": ["Pets", "Canidae"], "Pets": ["Animal"], "Canidae": ["Animal"]}
    assert fsd50k.smear(["Bark"], parents) == ["Animal", "Bark", "Canidae", "Dog", "Pets"]
    assert fsd50k.smear(fsd50k.smear(["Bark", "Music"], parents), parents) == fsd50k.smear(["Music", "Bark"], parents)


@pytest.mark.parametrize(("seconds", "count"), [(0.3, 1), (1.0, 1), (1.2, 2), (1.5, 2), (5.0, 9), (30.0, 59)])
def test_patches(seconds, count):
    wave = torch.arange(round(seconds * 22_050), dtype=torch.float32)[None]
    patches = fsd50k.Model.patches(wave)
    assert patches.shape == (1, count, 22_050)
    if seconds >= 1:
        assert set(patches.flatten().tolist()) == set(wave.flatten().tolist())  # nothing is left out
        assert patches[0, -1, -1] == wave[0, -1]
    else:
        assert torch.equal(patches[0, 0, : wave.shape[1]], patches[0, 0, wave.shape[1] : 2 * wave.shape[1]])


@pytest.mark.parametrize(("trunk", "parameters"), [("vgg", 348_040), ("crnn", 923_848)])
def test_trunks(trunk, parameters):
    """The VGG-like count is the reproduction's; for the CRNN it gives 0.92 to 0.95 million."""
    torch.manual_seed(0)
    model = fsd50k.Model(fsd50k.Config(trunk), NAMES).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    with torch.inference_mode():
        wave = 0.1 * torch.randn(2, 40_000)
        scores = model.tag(wave)
        assert scores.shape == (2, 200)
        assert scores.min() >= 0
        assert scores.max() <= 1
        assert model.embed(wave).shape == (2, model.dim)
        assert torch.allclose(model.tag(wave[1:]), scores[1:], atol=1e-5)
        short = wave[:, :6_615]
        assert torch.allclose(model.tag(short), model.tag(short.repeat(1, 4)[:, :22_050]), atol=1e-5)
    with pytest.raises(ValueError, match="0 samples"):
        model.tag(wave[:, :0])


def test_training_reaches_every_parameter_and_learns():
    torch.manual_seed(0)
    task = fsd50k.Tagging(fsd50k.Model(fsd50k.Config(classes=2)))
    time = torch.arange(22_050) / 22_050
    wave = 0.1 * torch.stack([torch.sin(2 * torch.pi * frequency * time) for frequency in (300, 3000)])
    batch = {"wave": wave, "target": torch.eye(2)}
    optimiser = torch.optim.Adam(task.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        loss = task(batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in task.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_metrics_leave_out_classes_without_positives():
    class Fixed(fsd50k.Model):
        def tag(self, wave):
            return wave[:, :4]

    rng = np.random.default_rng(0)
    scores = rng.random((30, 4)).astype(np.float32)
    targets = (rng.random((30, 4)) < 0.4).astype(np.float32)
    targets[:, 3] = 0
    found = fsd50k.evaluate(Fixed(fsd50k.Config(classes=4)), zip(scores, targets, strict=True))
    assert found["map"] == pytest.approx(average_precision_score(targets[:, :3], scores[:, :3]), abs=1e-6)
    assert found["classes_left_out"] == 1
    from statistics import NormalDist

    auc = roc_auc_score(targets[:, :3], scores[:, :3])
    assert found["d_prime"] == pytest.approx(2**0.5 * NormalDist().inv_cdf(auc), abs=1e-4)


def test_claims_are_judged_as_written():
    good = {"random": {"gap": np.array([0.4]), "eval_map": np.array([0.5])},
            "disjoint": {"gap": np.array([0.1]), "eval_map": np.array([0.49])}}  # fmt: skip
    assert all(fsd50k.claims(good).values())
    assert not any(
        fsd50k.claims({"random": good["disjoint"], "disjoint": {k: v + 1 for k, v in good["random"].items()}}).values()
    )
