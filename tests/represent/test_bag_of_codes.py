"""The bag of codes by slow oracles: how pieces are cut, coded and counted, and its three steps."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from auricle.errors import WeightsError  # noqa: E402
from auricle.hub.pretrained import save_pretrained  # noqa: E402
from auricle.represent import bag_of_codes as bag  # noqa: E402

SMALL = bag.Config(bands=32, hidden=24, waist=4, codes=6, head=16)


pytestmark = pytest.mark.usefixtures("one_thread")


def waves(count: int = 6, seconds: float = 1.3) -> torch.Tensor:
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * bag.RATE)) / bag.RATE
    tones = [np.sin(2 * np.pi * rng.uniform(200, 4000) * time) * (time % 0.3 < 0.2) for _ in range(count)]
    return torch.from_numpy((0.3 * np.stack(tones) + 0.01 * rng.standard_normal((count, len(time)))).astype(np.float32))


def test_spectra_by_definition():
    wave = waves(1)
    spectrum = bag.Spectrum(400, 512, 64)
    power = torch.stft(wave, 512, 160, 400, torch.hann_window(400), pad_mode="constant", return_complex=True)
    known = (power.abs().square().transpose(1, 2) @ spectrum.bank + 1e-3).log()
    np.testing.assert_allclose(spectrum(wave), known, rtol=1e-4, atol=1e-4)


def test_pieces_are_cut_where_they_should_be():
    torch.manual_seed(0)
    model = bag.Model(SMALL).eval()
    wave = waves(2)
    plain, short, middle, long = (spectrum(wave) for spectrum in model.spectra)
    found = {view.name: pieces for view, pieces in model.pieces(wave)}
    frames = plain.shape[1]
    assert frames == 131
    assert torch.equal(found["slice"], plain)
    assert torch.equal(found["multires"], torch.cat((short, middle, long), dim=-1))
    places = [(t, b) for t in range(0, frames - 7, 4) for b in range(0, 32 - 15, 8)]
    patches = [plain[:, t : t + 8, b : b + 16].transpose(1, 2).flatten(1) for t, b in places]
    by_time = found["patch"].unflatten(2, (8, 16)).transpose(2, 3).flatten(2)
    assert torch.equal(by_time, torch.stack(patches, dim=1))
    assert found["slab"].shape == (2, len(range(0, frames - 7, 4)), 8 * 32)
    assert found["macro"].shape == (2, 1, 100 * 32)
    smooth = found["envelope"] @ model.views["envelope"].cosines.T
    assert found["envelope"].shape[2] == 20
    assert float((smooth - plain).var()) < float(plain.var())


def test_codes_are_the_nearest_centres_and_their_shares_are_counted():
    torch.manual_seed(0)
    model = bag.Model(SMALL).eval()
    with torch.inference_mode():
        heard = model(waves(2))
        for place, (view, pieces) in enumerate(model.pieces(waves(2))):
            waist = view.encoder(pieces)
            codes = torch.cdist(waist, view.codebook.expand(2, -1, -1)).argmin(dim=-1)
            assert float((codes == heard["codes"][view.name]).float().mean()) > 0.999
            shares = heard["embedding"][:, 6 * place : 6 * place + 6].square()
            for clip in range(2):
                counted = torch.bincount(heard["codes"][view.name][clip], minlength=6) / pieces.shape[1]
                np.testing.assert_allclose(shares[clip], counted, atol=1e-6)


def test_statistics_follow_the_counts():
    model = bag.Model(bag.Config(views=("slice",), codes=6, waist=4, statistics=True)).eval()
    with torch.inference_mode():
        assert model.embed(waves(2)).shape == (2, model.dim) == (2, 6 + 8)


def test_the_three_steps():
    torch.manual_seed(0)
    model = bag.Model(SMALL, ("low", "high"))
    task = bag.Task(model, waves(), pieces=256)
    optimiser = torch.optim.Adam(task.parameter_groups(), 3e-3)
    losses = []
    for _ in range(80):
        loss = task.training_step({"wave": waves()})["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert all(parameter.grad is not None for parameter in model.views.parameters())
    assert np.mean(losses[-5:]) < 0.75 * losses[0]

    bag.learn_codes(model, waves(), seed=0)
    assert not any(parameter.requires_grad for parameter in model.views.parameters())
    used = [len(set(codes.flatten().tolist())) for codes in model(waves())["codes"].values()]
    assert min(used) >= 5

    head = bag.Head(model.train())
    target = (torch.arange(6) % 2).long()
    batch = {"embedding": model.embed(waves()), "target": target}
    first = float(head.training_step(batch)["loss"].detach())
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(30):
        optimiser.zero_grad()
        head.training_step(batch)["loss"].backward()
        optimiser.step()
    assert float(head.training_step(batch)["loss"].detach()) < 0.5 * first
    several = bag.Head(model, multilabel=True)
    shares = torch.nn.functional.one_hot(target, 2).float()
    assert bool(several.training_step({"embedding": batch["embedding"], "target": shares})["loss"].isfinite())


def test_a_codes_meaning_is_a_spectrum():
    model = bag.Model(SMALL)
    bag.Task(model, waves())
    assert model.meanings("slice").shape == (6, 32)
    assert model.meanings("patch").shape == (6, 8 * 16)


def test_the_names_of_a_saved_model(tmp_path):
    model = bag.Model(bag.Config(views=("slice", "patch")), ("a",)).eval()
    names = set(model.state_dict())
    for view in ("slice", "patch"):
        each = ("encoder.0", "encoder.2", "decoder.1", "decoder.3")
        assert {f"views.{view}.{part}.weight" for part in each} <= names
        assert {f"views.{view}.{part}" for part in ("codebook", "mean", "std")} <= names
    again = bag.load(path=save_pretrained(model, tmp_path / "bag"))
    assert torch.equal(again.embed(waves(2)), model.embed(waves(2)))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no view 'word'"):
        bag.Model(bag.Config(views=("slice", "word")))
    with pytest.raises(WeightsError, match="not published"):
        bag.load()


def test_rivals_are_of_the_sizes_that_are_told():
    sizes = {arm: sum(p.numel() for p in bag.Rival(arm, 44, 0.0, 1.0).parameters()) for arm in bag.ARMS[2:]}
    assert {arm: round(size / 1000) for arm, size in sizes.items()} == {"cnn": 29, "wide": 104, "transformer": 83}
