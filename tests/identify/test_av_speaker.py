import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from auricle.identify import _people, av_speaker  # noqa: E402
from auricle.identify.av_speaker import AMSoftmax, Calibration, Config, Model, Task  # noqa: E402
from auricle.nn.resnet import AttentiveStatistics, ResNet  # noqa: E402

TINY = Config(
    bands=16, channels=(4, 4, 8, 8), depths=(1, 1, 1, 1), face_channels=(4, 4, 8, 8), face_depths=(1, 1, 1, 1), dim=12
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Model(TINY)


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return {
        "wave": torch.rand(6, 8_000) - 0.5,
        "faces": torch.rand(6, 2, 3, 16, 16),
        "speaker": torch.tensor([0, 1, 2, 0, 1, 2]),
    }


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class TestParts:
    def test_resnets_have_the_sizes_of_their_names(self):
        count = lambda network: sum(p.numel() for p in network.parameters())  # noqa: E731
        assert count(ResNet(3, (64, 128, 256, 512), (2, 2, 2, 2))) == 11_168_832  # ResNet-18 with a 3 x 3 stem, bare
        assert ResNet(1, (32, 64, 128, 256), (3, 4, 6, 3))(torch.zeros(1, 1, 80, 50)).shape == (1, 256, 10, 7)

    def test_attentive_statistics_without_attention_are_statistics(self):
        pool = AttentiveStatistics(3)
        for parameter in pool.parameters():
            torch.nn.init.zeros_(parameter)
        x = torch.randn(2, 3, 50)
        expected = torch.cat([x.mean(dim=-1), x.std(dim=-1, correction=0)], dim=1)
        torch.testing.assert_close(pool(x), expected)

    def test_am_softmax_by_hand(self):
        loss = AMSoftmax(3, 2, scale=10.0, margin=0.3)
        loss.rows.data = torch.tensor([[2.0, 0, 0], [0, 5.0, 0]])
        logits = 10 * torch.tensor([[0.6 - 0.3, 0.8], [0.0, 1.0 - 0.3]])
        expected = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
        torch.testing.assert_close(loss(torch.tensor([[3.0, 4, 0], [0, 1, 0]]), torch.tensor([0, 1])), expected)


class TestModel:
    def test_embeddings_are_of_unit_length(self, model, batch):
        model.eval()
        parts = model(batch["wave"], batch["faces"])
        assert set(parts) == {"voice", "face", "joined"}
        for part in parts.values():
            assert part.shape == (6, 12)
            torch.testing.assert_close(part.norm(dim=1), torch.ones(6))
        torch.testing.assert_close(parts["voice"], model.embed(batch["wave"]))
        torch.testing.assert_close(parts["face"], model.embed_face(batch["faces"]))
        torch.testing.assert_close(parts["joined"], model.embed_both(batch["wave"], batch["faces"]))

    def test_the_order_of_pictures_does_not_matter(self, model, batch):
        model.eval()
        torch.testing.assert_close(model.embed_face(batch["faces"].flip(1)), model.embed_face(batch["faces"]))

    def test_a_voice_is_the_same_at_any_level(self, model, batch):
        """The mean over time is taken off the log-mel: what multiplies the wave is gone."""
        model.eval()
        torch.testing.assert_close(model.embed(batch["wave"] * 0.1), model.embed(batch["wave"]), atol=1e-3, rtol=1e-3)


class TestTask:
    def test_what_is_trained(self, model, batch):
        trained = {
            "voice": {"model.voice", "classifier"},
            "face": {"model.face", "classifier"},
            "joined": {"model.voice", "model.face", "model.joint", "classifier"},
            "shared": {"model.voice", "model.face", "classifier"},
            "separate": {"model.voice", "model.face", "classifier", "second"},
        }
        for kind, parts in trained.items():
            task = Task(model, 3, kind)  # pyright: ignore[reportArgumentType]
            task.zero_grad()
            task.training_step(batch)["loss"].backward()
            [group] = task.parameter_groups()
            learning = {id(parameter) for parameter in group["params"]}
            names = {name for name, p in task.named_parameters() if p.grad is not None and id(p) in learning}
            assert {".".join(name.split(".")[: 1 + name.startswith("model")]) for name in names} == parts
            assert len(names) == len(learning)

    def test_views_share_rows_or_do_not(self, model):
        shared, separate = Task(model, 3, "shared"), Task(model, 3, "separate")
        assert shared.second is shared.classifier
        assert separate.second is not separate.classifier

    def test_joined_layers_at_times_see_one_view(self, model, batch):
        seen = []
        model.joint.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        Task(model, 3, "joined", drop=1.0).training_step(batch)
        lost = [(part == 0).all(dim=1) for part in seen[0].split(12, dim=1)]
        assert bool((lost[0] ^ lost[1]).all())


class TestVerify:
    @pytest.fixture
    def views(self):
        rng = np.random.default_rng(0)
        people = np.arange(40) % 10
        person = rng.standard_normal((10, 8))
        views = {
            name: unit(person[people] + spread * rng.standard_normal((40, 8)))
            for name, spread in {"voice": 0.5, "face": 0.8, "joined": 0.3}.items()
        }
        return views, people

    def test_modes_are_cosines_of_views(self, views):
        views, _ = views
        one, other = np.array([0, 3]), np.array([5, 3])
        expected = [views["voice"][0] @ views["face"][5], views["voice"][3] @ views["face"][3]]
        assert av_speaker.cosines(views, one, other, "a2v") == pytest.approx(expected)
        assert av_speaker.cosines(views, other, one, "v2a") == pytest.approx(expected)

    def test_strangers_score_as_standard_normal(self, views):
        views, people = views
        calibration = Calibration.on(views, people)
        enrol, test = np.triu_indices(40, 1)
        strangers = people[enrol] != people[test]
        for mode in ("a", "v", "a2v", "v2a", "joined", "av"):
            scores = calibration.verify(views, enrol, test, mode)
            assert abs(scores[strangers].mean()) < 0.5
            assert scores[~strangers].mean() > 1

    def test_a_missing_view_is_scored_by_what_is_left(self, views):
        views, people = views
        calibration = Calibration.on(views, people)
        views = {name: rows.copy() for name, rows in views.items()}
        views["face"][[1, 2]] = views["joined"][[1, 2]] = np.nan  # 1 and 2 are only heard
        views["voice"][[3, 4]] = views["joined"][[3, 4]] = np.nan  # 3 and 4 are only seen
        views["voice"][5] = views["face"][5] = views["joined"][5] = np.nan
        enrol, test = np.array([0, 0, 1, 3, 0, 1, 3, 5]), np.array([6, 1, 2, 4, 3, 3, 1, 6])
        scores = calibration.verify(views, enrol, test)
        modes = ["joined", "a", "a", "v", "v", "a2v", "v2a"]
        for place, mode in enumerate(modes):
            [expected] = calibration.verify(views, enrol[[place]], test[[place]], mode)
            assert scores[place] == pytest.approx(expected)
        assert np.isnan(scores[7])
        del views["joined"]
        unfused = Calibration({mode: pair for mode, pair in calibration.table.items() if mode != "joined"})
        parts = [unfused.verify(views, enrol, test, mode) for mode in ("a", "v")]
        assert unfused.verify(views, enrol, test)[0] == pytest.approx((parts[0][0] + parts[1][0]) / 2)

    def test_centring_takes_the_offset_between_views(self, views):
        views, _ = views
        moved = views | {"face": unit(views["face"] + 3 * np.eye(8)[0])}
        enrol, test = np.triu_indices(40, 1)
        level = av_speaker.centred(moved, moved)
        assert np.mean(av_speaker.cosines(level, enrol, test, "a2v")) == pytest.approx(0, abs=0.05)
        assert np.linalg.norm(level["face"], axis=1) == pytest.approx(1)


class TestPeople:
    def test_clips_come_from_the_seed(self):
        one, again, other = _people.clips(3, 2, 0), _people.clips(3, 2, 0), _people.clips(3, 2, 1)
        assert np.array_equal(one.waves, again.waves)
        assert np.array_equal(one.faces, again.faces)
        assert not np.array_equal(one.waves, other.waves)
        assert one.waves.shape == (6, 16_000)
        assert one.faces.shape == (6, 2, 3, 32, 32)
        assert np.abs(one.waves).max() <= 1
        assert one.faces.min() >= 0
        assert one.faces.max() <= 1

    def test_the_pitch_is_the_persons(self):
        rng = np.random.default_rng(0)
        low, high = (
            np.median([self.pitch(_people.voice(np.eye(6)[0] * sign, rng)) for _ in range(5)]) for sign in (-2, 2)
        )
        assert high / low == pytest.approx(2 ** (4 * 0.5), rel=0.25)

    @staticmethod
    def pitch(wave):
        power = np.abs(np.fft.rfft(wave, 2 * len(wave))) ** 2
        shape = np.fft.irfft(power)[30:400]
        return 16_000 / (30 + shape.argmax())

    def test_trials_are_of_different_clips_half_of_one_person(self):
        heard = _people.clips(5, 3, 0)
        trials = _people.trials(heard, 200, 0)
        assert trials.same.mean() == 0.5
        assert (trials.enrol != trials.test).all()
        assert np.array_equal(heard.people[trials.enrol] == heard.people[trials.test], trials.same)
        assert trials.one_sex[trials.same].all()
        assert np.array_equal(heard.sexes[trials.enrol] == heard.sexes[trials.test], trials.one_sex)


def test_an_experiment_measures_both_views_and_across():
    made = av_speaker.experiment("smoke")
    made.task.eval()
    assert set(made.valid(made.task)) == {
        f"{name}_eer" for name in ("voice", "face", "across", "across_uncentred", "across_one_sex")
    }


def test_claims_follow_the_errors():
    five = np.full(5, 1.0)
    values = {
        "voice": {"voice_eer": 0.1 * five},
        "face": {"face_eer": 0.12 * five},
        "score": {"both_eer": 0.05 * five},
        "joined": {"joined_eer": 0.06 * five},
        "shared": {"voice_eer": 0.11 * five, "face_eer": 0.12 * five, "across_eer": 0.35 * five},
        "separate": {"across_eer": 0.49 * five},
    }
    assert all(av_speaker.claims(values).values())
    worse = values | {"shared": values["shared"] | {"across_eer": 0.42 * five}, "joined": {"joined_eer": 0.09 * five}}
    assert list(av_speaker.claims(worse).values()) == [True, False, False, False, True]
