"""ByteCover against the public re-implementation, its losses against slow ones, and its miniature's music.

``orfium.npz`` holds what Orfium/bytecover at 5462239 gives with fewer channels and random weights.
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from auricle.data.manifest import Manifest  # noqa: E402
from auricle.errors import DataError, WeightsError  # noqa: E402
from auricle.identify import _versions, _works, bytecover  # noqa: E402
from auricle.identify.bytecover import Config, Model, Task  # noqa: E402

SMALL = Config(sample_rate=11_025, hop=256, pool=10, stem=4, widths=(4, 4, 4, 4), depths=(1, 1, 1, 1))


def test_the_network_is_that_of_the_public_code():
    config = Config(stem=4, widths=(4, 8, 16, 32), depths=(1, 2, 1, 1), rectified=True)
    with np.load(Path(__file__).parent / "orfium.npz") as known:
        state = {name[6:]: torch.from_numpy(known[name]) for name in known.files if name.startswith("state.")}
        model = Model(config).eval()
        missing, unexpected = model.load_state_dict(bytecover.from_orfium(state), strict=False)
        assert not unexpected
        assert all(name.endswith("num_batches_tracked") for name in missing)
        with torch.inference_mode():
            found = model.encode(torch.from_numpy(known["spectrogram"]))
        np.testing.assert_allclose(found["features"], known["features"], atol=1e-5)
        np.testing.assert_allclose(found["embedding"], known["embedding"], atol=1e-5)


def test_a_file_that_is_no_bytecover_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="not fetched by themselves"):
        bytecover.load()
    torch.save({"something": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="does not hold the weights of a ByteCover"):
        bytecover.load(path=tmp_path / "other.pt")


def test_the_joint_loss_is_both_losses():
    torch.manual_seed(0)
    batch = {"spectrogram": torch.rand(6, 84, 32), "target": torch.tensor([0, 0, 1, 1, 2, 2])}
    task = Task(Model(SMALL), works=5)
    parts = {name: part.item() for name, part in task.training_step(batch).items()}
    heard = task.train().model.encode(batch["spectrogram"])
    logits = (heard["embedding"] @ task.classifier.weight.T).detach().numpy()
    log = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    smooth = np.full((6, 5), 0.1 / 5)
    smooth[range(6), batch["target"]] += 0.9
    assert parts["classification"] == pytest.approx(float(-(smooth * log).sum(1).mean()), rel=1e-4)
    features = heard["features"].detach().numpy()
    apart = np.linalg.norm(features[:, None] - features[None], axis=-1)
    hardest = [max(0, apart[a, a ^ 1] - min(apart[a, n] for n in range(6) if n // 2 != a // 2) + 0.3) for a in range(6)]
    assert parts["triplet"] == pytest.approx(np.mean(hardest), rel=1e-3)
    assert parts["loss"] == pytest.approx(parts["classification"] + parts["triplet"], rel=1e-6)


def test_level_does_not_matter_when_normalised():
    model = Model(Config(**(vars(SMALL) | {"normalise": True}))).eval()
    wave = torch.randn(1, 11_025, generator=torch.Generator().manual_seed(0)) / 10
    with torch.inference_mode():
        torch.testing.assert_close(model.embed(wave), model.embed(wave / 7), rtol=1e-3, atol=1e-3)


def test_a_projection_keeps_the_principal_components():
    torch.manual_seed(0)
    model = Model(SMALL).eval()
    wide = torch.randn(30, model.dim) * torch.logspace(0, -3, model.dim)
    model.reduce(wide, 8)
    assert (model.dim, model.config.projection) == (8, 8)
    with torch.inference_mode():
        reduced = model.projection(wide)
    assert float(reduced.mean(0).abs().max()) < 1e-4
    assert float(reduced.var(0).sum() / wide.var(0).sum()) > 0.95
    with pytest.raises(ValueError, match="40 components"):
        model.reduce(wide, 40)


class TestMusic:
    def test_works_and_performances_follow_from_their_seeds(self):
        assert _works.compose(3) == _works.compose(3) != _works.compose(4)
        waves = [_works.perform(_works.compose(3), seed, 8000, 3.0) for seed in (1, 1, 2)]
        assert waves[0].dtype == np.float32
        assert waves[0].shape == (24_000,)
        assert 0.5 <= np.abs(waves[0]).max() <= 0.9
        assert np.array_equal(waves[0], waves[1])
        assert not np.array_equal(waves[0], waves[2])

    def test_a_picture_is_about_the_transform_of_the_sound(self):
        work, manner = _works.compose(5), _works.Manner(noise=(30.0, 31.0))
        model, rate = Model(SMALL), 11_025 / 2560
        wave = _works.perform(work, 7, 11_025, 12.0, manner)
        heard = np.sqrt(model.spectrogram(torch.from_numpy(wave)[None])[0].numpy())
        drawn = np.sqrt(_works.picture(work, 7, rate, heard.shape[1], manner))
        other = np.sqrt(_works.picture(work, 8, rate, heard.shape[1], manner))
        like = [np.corrcoef(heard.ravel(), one.ravel())[0, 1] for one in (drawn, other)]
        assert like[0] > 0.7 > like[1]

    def test_versions_of_a_batch_are_of_one_work_and_unlike(self):
        pictures = _versions.Pictures([_works.compose(n) for n in range(5)], 4.3, 20, groups=2, each=2, seed=1)
        order = list(pictures.sampler)
        items = [pictures[index] for index in order]
        assert [item["target"] for item in items[::2]] == [item["target"] for item in items[1::2]]
        assert not np.array_equal(items[0]["spectrogram"], items[1]["spectrogram"])
        assert np.array_equal(items[0]["spectrogram"], pictures[order[0]]["spectrogram"])
        pictures.set_epoch(1)
        assert not np.array_equal(items[0]["spectrogram"], pictures[order[0]]["spectrogram"])


def test_variations_keep_the_shape_and_transpose_by_bins():
    torch.manual_seed(0)
    x = torch.rand(4, 84, 30)
    varied = _versions.Variation(transpose=1.0, stretch=1.0, mask=1.0)(x)
    assert varied.shape == x.shape
    moved = _versions.Variation(transpose=1.0, semitones=3, stretch=0.0, mask=0.0)(x)
    for before, after in zip(x, moved, strict=True):
        shifts = [
            by
            for by in range(-3, 4)
            if torch.equal(after[max(0, by) : 84 + min(0, by)], before[max(0, -by) : 84 - max(0, by)])
        ]
        assert len(shifts) == 1


@pytest.fixture
def covers(tmp_path) -> Path:
    """A folder laid out as covers80: three works, two performances each."""
    for work in range(3):
        for version in range(2):
            wave = _works.perform(_works.compose(work), version, 11_025, 2.0)
            file = tmp_path / "covers80" / "covers32k" / f"Work_{work}" / f"artist{version}+album+0{version}-Title.flac"
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, wave, 11_025)
    return tmp_path


def test_it_is_evaluated_on_public_sets(covers, monkeypatch):
    torch.manual_seed(0)
    model = Model(SMALL)
    manifest = _versions.public("covers80", covers / "covers80")
    found = bytecover.evaluate(model, manifest)
    assert found.keys() == {"map", "p1", "p10", "mr1"}
    monkeypatch.setenv("AURICLE_DATA", str(covers))
    assert bytecover.evaluate(model) == {f"covers80/{name}": value for name, value in found.items()}
    monkeypatch.setenv("AURICLE_DATA", str(covers / "nothing"))
    with pytest.raises(DataError, match="No public set"):
        bytecover.evaluate(model)
    with pytest.raises(DataError, match="no set of versions"):
        _versions.public("gtzan", covers)


def test_sounds_stand_in_for_the_features_of_da_tacos(tmp_path):
    rows = [{"path": f"cens/W_1_cens/P_{n}_cens.h5", "labels": ["W_1"]} for n in (1, 2, 3)]
    (tmp_path / "audio").mkdir()
    for n in (1, 3):
        soundfile.write(tmp_path / "audio" / f"P_{n}.flac", np.zeros(100), 8000)
    found = _versions.sounding(Manifest.from_rows(rows, tmp_path))
    assert found.column("path") == ["audio/P_1.flac", "audio/P_3.flac"]
    with pytest.raises(DataError, match="None of the 3"):
        _versions.sounding(Manifest.from_rows(rows, tmp_path / "elsewhere"))


def test_recordings_are_cut_in_batches_of_works(covers):
    manifest = _versions.public("covers80", covers / "covers80")
    tracks = _versions.Tracks(manifest, 11_025, (1.0, 1.5), groups=2, each=2)
    first = tracks[next(iter(tracks.sampler))]
    assert first["wave"].shape == (11_025,)
    assert first["target"] in range(3)
    tracks.set_epoch(1)
    assert tracks[0]["wave"].shape == (16_537,) or tracks[0]["wave"].shape == (16_538,)


def test_chroma_finds_what_is_only_transposed():
    x = np.random.default_rng(0).random((3, 84, 20)).astype(np.float32)
    x = np.concatenate([x, np.roll(x[:1], 5, axis=1)])
    found = bytecover.chroma_similarity(x)
    assert found[0].argsort()[-2:].tolist() in ([0, 3], [3, 0])
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-5)
