"""Fingerprints: the front-end, the views, the contrast, the shipped ear."""

import numpy as np
import pytest

from auricle.identify.moco_fingerprint import GRAPH, claims, front_end, load
from auricle.identify.moco_fingerprint.landmarks import Table, hashes
from auricle.types import Ear, PrintEar

RATE = front_end.RATE


def melody(seed: int, seconds: float, factor: float = 1.0) -> np.ndarray:
    """Three voices of random notes, played ``factor`` times as fast on a tape."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE * factor
    notes = rng.integers(48, 84, (3, 200))
    lengths = rng.choice([0.25, 0.5], 3)
    sound = np.zeros(len(time))
    for voice, length in zip(notes, lengths, strict=True):
        place = (time / length).astype(int) % 200
        since = time - (time / length).astype(int) * length
        pitch = 440 * 2 ** ((voice[place] - 69) / 12)
        sound += sum(np.sin(2 * np.pi * k * pitch * since) / k for k in (1, 2, 3)) * np.exp(-3 * since)
    return (0.2 * sound + 0.002 * rng.standard_normal(len(time))).astype(np.float32)


class TestFrontEnd:
    def test_the_bank_is_half_semitones_whose_weights_sum_to_one(self):
        bank = front_end.bank()
        assert bank.shape == (513, front_end.BANDS + 2 * front_end.MARGIN)
        np.testing.assert_allclose(bank.sum(axis=0), 1)
        high = np.argmax(bank[:, -24:], axis=0) * RATE / front_end.FFT
        np.testing.assert_allclose(high[12:] / high[:-12], 2**0.5, rtol=0.02)

    def test_a_tone_a_semitone_higher_is_two_bands_higher(self):
        time = np.arange(RATE) / RATE
        low, high = (
            np.argmax(front_end.power(np.sin(2 * np.pi * f * time).astype("f"))[0]) for f in (800, 800 * 2 ** (1 / 12))
        )
        assert high - low == front_end.SEMITONE

    def test_what_is_played_faster_on_a_tape_is_read_as_it_was(self):
        tempo = 2 ** (2 / 12)
        was = front_end.played(melody(0, 4.0), 1.0, 0)[0]
        read = front_end.played(melody(0, 4.0, tempo), tempo, 2)[0]
        level = [10 * np.log10(each + 1e-3 * each.max()) for each in (was, read)]
        assert np.corrcoef(level[0].ravel(), level[1].ravel())[0, 1] > 0.9

    def test_a_short_sound_has_no_windows(self):
        assert front_end.played(np.zeros(front_end.WINDOW - 1, np.float32), 1.0, 0).shape == (0, 96, 64)
        with pytest.raises(ValueError, match="needed"):
            front_end.power(np.zeros(10, np.float32))


class TestEar:
    def test_it_is_an_ear_whose_prints_are_unit_vectors(self):
        ear = load()
        assert isinstance(ear, Ear)
        assert isinstance(ear, PrintEar)
        sound = melody(1, 6.0)[: ear.window + 3 * ear.hop]
        prints = ear.hear(sound).embeddings
        assert prints.shape == (4, ear.dim)
        np.testing.assert_allclose(np.linalg.norm(prints, axis=1), 1, rtol=1e-5)
        assert np.array_equal(ear.hear(sound[ear.hop :]).embeddings, prints[1:])
        np.testing.assert_array_equal(ear.prints_of(sound, step=1.0), prints)

    def test_silence_has_no_print(self):
        ear = load()
        assert not ear.hear(np.zeros(ear.window, np.float32)).embeddings.any()

    def test_a_waveform_of_no_whole_windows_is_refused(self):
        ear = load()
        for samples in (ear.window - 1, ear.window + 1):
            with pytest.raises(ValueError, match="needed"):
                ear.hear(np.zeros(samples, np.float32))

    def test_hashes_are_the_same_whatever_is_heard_before_and_after(self):
        ear, sound = load(), melody(1, 6.0)
        sound = sound[: ear.window + 7 * ear.hop]
        heard = ear.hear(sound).hashes
        assert heard is not None
        assert heard.shape == (8, ear.hashes)
        np.testing.assert_array_equal(ear.hear(sound[ear.hop :]).hashes, heard[1:])
        clip = ear.hashes_of(sound)
        ahead = round(ear.ahead / ear.hop * ear.hashes)
        same, later = clip[ahead : ahead + heard.size], ear.hashes_of(sound[2 * ear.step :])
        assert np.bitwise_count(same ^ heard.ravel()).sum() < 5  # levels that are the same but for rounding
        assert np.bitwise_count(later ^ ear.hashes_of(sound, 0.5))[8:-8].sum() < 5

    def test_hashes_are_mostly_the_same_in_noise(self):
        ear, sound = load(), melody(1, 6.0)
        was, other = ear.hashes_of(sound), ear.hashes_of(melody(2, 6.0))
        noise = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
        noisy = ear.hashes_of(sound + noise * sound.std())
        assert np.bitwise_count(was ^ noisy).mean() < np.bitwise_count(was ^ other).mean() - 3
        assert not ear.hashes_of(np.zeros(RATE * 3, np.float32)).any()

    def test_the_weights_are_small_enough_to_ship(self):
        assert GRAPH.stat().st_size < 10e6

    def test_the_same_moment_at_another_speed_is_nearer_than_another_melody(self):
        ear = load()
        was, other = (ear.prints_of(melody(seed, 4.0))[0] for seed in (2, 3))
        tempo = 2 ** (-3 / 12)
        again = ear.prints_of(melody(2, 4.0, tempo), tempo, -3)[0]
        assert was @ again > 0.7
        assert was @ other < was @ again - 0.2


class TestLearning:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="the extra [train] is not installed")

    def test_the_shipped_graph_is_the_network_of_the_model(self, torch):
        """Its shapes, at least: the same sounds have prints of the same size."""
        from auricle.identify.moco_fingerprint.model import Model

        torch.manual_seed(0)
        sound = torch.from_numpy(melody(0, 3.2))[None]
        with torch.no_grad():
            prints = Model().eval()(sound)["prints"][0].numpy()
        ear = load()
        assert prints.shape == ear.prints_of(sound[0].numpy(), step=1.0).shape

    def test_a_track_is_not_held_against_itself(self, torch):
        from auricle.identify.moco_fingerprint.model import Config, MoCo, Model
        from auricle.identify.moco_fingerprint.views import Views

        torch.manual_seed(0)
        still = Views(noisy=0, echoing=0, filtered=0, phone=0, cut=0)
        task = MoCo(Model(Config(channels=(4,) * 7 + (128,), queue=8)), still)
        sound = torch.rand(4, 88, 96)
        batch = {"query": sound, "key": sound, "query_noise": sound[:, :64], "key_noise": sound[:, :64]}
        first = task.training_step(batch | {"track": torch.full((4,), 7)})
        assert first["loss"].item() == pytest.approx(0, abs=1e-6)  # the queue is empty
        again = task.training_step(batch | {"track": torch.full((4,), 7)})
        assert again["loss"].item() == pytest.approx(0, abs=1e-6)  # it holds this track only
        assert task.training_step(batch | {"track": torch.full((4,), 8)})["loss"].item() > 0.1
        assert sorted(task.tracks.tolist()) == [7] * 4 + [8] * 4
        np.testing.assert_allclose(task.queue.norm(dim=1).numpy(), 1, rtol=1e-4)

    def test_the_slow_encoder_follows(self, torch):
        from auricle.identify.moco_fingerprint.model import Config, MoCo, Model
        from auricle.identify.moco_fingerprint.views import Views

        task = MoCo(Model(Config(channels=(4,) * 7 + (128,), queue=8, momentum=0.75)), Views())
        fast, slow = next(task.model.encoder.parameters()), next(task.slow.parameters())
        with torch.no_grad():
            fast.add_(1.0)
        before = slow.clone()
        task._follow()
        np.testing.assert_allclose((slow - before).numpy(), 0.25, rtol=1e-5)

    def test_views_are_drawn_from_seed_epoch_and_index(self, torch):
        from auricle.identify.moco_fingerprint.views import Pairs, Views, packed

        tracks = [[packed(melody(seed, 6.0))] for seed in range(2)]
        pairs, again = (Pairs(tracks, tracks[0], Views(speed=0.2, pitch=2.0), 8, seed=3) for _ in range(2))
        for name, value in pairs[5].items():
            np.testing.assert_array_equal(value, again[5][name])
        again.set_epoch(1)
        assert not np.array_equal(pairs[5]["query"], again[5]["query"])
        assert pairs[0]["query"].shape == (88, 96)

    def test_a_view_at_another_speed_is_what_the_front_end_reads_there(self, torch):
        from auricle.identify.moco_fingerprint.views import DENSE, EARLIER, cut_out, packed

        tempo = 2 ** (2 / 12)
        middle = 3.0  # seconds into the recording
        view = cut_out(packed(melody(4, 6.0)), middle * RATE / DENSE, tempo, 2 * front_end.SEMITONE)[EARLIER:]
        fast = front_end.power(melody(4, 6.0, tempo))[:, front_end.MARGIN : -front_end.MARGIN]
        at = round(
            (middle * RATE - front_end.FFT / 2) / tempo / front_end.HOP - 32 + front_end.FFT / 2 / front_end.HOP / tempo
        )
        likeness = [
            np.corrcoef(np.log(view + 1e-3).ravel(), np.log(fast[start : start + 64] + 1e-3).ravel())[0, 1]
            for start in range(at - 4, at + 5)
        ]
        assert max(likeness) > 0.9


def test_landmarks_find_an_excerpt_and_where_it_begins():
    songs = [melody(seed, 8.0) for seed in range(5)]
    table = Table([hashes(song, RATE) for song in songs])
    found, at = table.find(hashes(songs[3][2 * RATE : 6 * RATE], RATE))
    assert found == 3
    assert at == pytest.approx(2.0, abs=0.05)
    assert table.find((np.zeros(0, np.int64), np.zeros(0, np.int64)))[0] == -1


def test_claims_follow_the_values():
    low = {name: np.full(3, 0.2) for name in ("clean", "noise", "speed", "pitch")}
    high = {name: np.full(3, 0.9) for name in low}
    assert all(claims({"moco": high, "same_speed": low, "landmarks": low}).values())
    assert not any(claims({"moco": low, "same_speed": low, "landmarks": low}).values())
