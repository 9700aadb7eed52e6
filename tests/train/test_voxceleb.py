"""Trial lists of VoxCeleb1 on tones: speakers are pitches, and the fake ear tells them apart."""

import json

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from auricle.cli import main  # noqa: E402
from auricle.data.sets.speech import Trial, voxceleb1_sexes, voxceleb1_trials  # noqa: E402
from auricle.errors import AudioError, DataError  # noqa: E402
from auricle.hub.ear import open_ear  # noqa: E402
from auricle.train import voxceleb  # noqa: E402

RATE = 16_000
SPEAKERS = {"id1": 120.0, "id2": 800.0, "id3": 4000.0, "id4": 420.0, "id5": 2000.0}


@pytest.fixture
def copy(tmp_path):
    """Two recordings of five speakers, of whom the first three are in trials."""
    rng = np.random.default_rng(0)
    lines = []
    for speaker, hertz in SPEAKERS.items():
        for video in ("a", "b"):
            path = tmp_path / "wav" / speaker / video / "00001.wav"
            path.parent.mkdir(parents=True)
            time = np.arange(int(1.5 * RATE)) / RATE
            soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * time) + 0.02 * rng.standard_normal(len(time)), RATE)
            lines.append(f"1 {speaker}/{video}/00001.wav")
    (tmp_path / "iden_split.txt").write_text("\n".join(lines))
    meta = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    (tmp_path / "vox1_meta.csv").write_text(
        meta + "".join(f"{name}\tX\t{sex}\tY\ttest\n" for name, sex in zip(SPEAKERS, "mmfff", strict=True))
    )
    trials = ["1 id1/a/00001.wav id1/b/00001.wav", "0 id1/a/00001.wav id2/b/00001.wav", "",
              "1 id2/a/00001.wav id2/b/00001.wav", "0 id2/a/00001.wav id3/b/00001.wav"]  # fmt: skip
    (tmp_path / "veri_test.txt").write_text("\n".join(trials))
    return tmp_path


def test_lists_are_read(copy):
    trials = voxceleb1_trials(copy, copy / "veri_test.txt")
    assert trials[1] == Trial(False, "wav/id1/a/00001.wav", "wav/id2/b/00001.wav")
    assert [trial.same for trial in trials] == [True, False, True, False]
    assert voxceleb1_sexes(copy)["id3"] == "f"
    assert voxceleb1_sexes(copy / "wav") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2 a/b/c.wav d/e/f.wav", "line 1"),
        ("1 a/b/c.wav", "line 1"),
        ("1 a/b/c.wav d.wav", "line 1"),
        ("1 a/b/c.wav a/d/e.wav", "both kinds"),
        ("", "both kinds"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path, text, problem):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DataError, match=problem):
        voxceleb1_trials(tmp_path, tmp_path / "list.txt")
    with pytest.raises(DataError, match="cannot be read"):
        voxceleb1_trials(tmp_path, tmp_path / "none.txt")


def test_rates_of_an_ear_that_can_tell(copy):
    found = voxceleb.run("fake_ear", copy, copy / "veri_test.txt")
    assert found["trials"] == 4
    assert found["trials_one_sex"] == 3  # both of one speaker, and the two men
    for name in ("eer", "min_dcf", "eer_as_norm", "eer_one_sex"):
        assert found[name] == 0


def test_without_tables_only_the_list_counts(copy):
    for table in ("vox1_meta.csv", "iden_split.txt"):
        (copy / table).unlink()
    assert set(voxceleb.run("fake_ear", copy, copy / "veri_test.txt")) == {"trials", "eer", "min_dcf"}


def test_a_recording_that_is_gone_is_no_trial_less(copy):
    (copy / "wav/id1/b/00001.wav").unlink()
    with pytest.raises(AudioError, match="id1"):
        voxceleb.run("fake_ear", copy, copy / "veri_test.txt")


def test_an_embedding_is_the_mean_direction_of_all_windows(copy, monkeypatch):
    ear = open_ear("fake_ear")
    path = copy / "wav/id2/a/00001.wav"
    whole = voxceleb.embedding(ear, path)
    monkeypatch.setattr(voxceleb, "BLOCK", 1)
    assert voxceleb.embedding(ear, path) == pytest.approx(whole, abs=1e-6)
    assert np.linalg.norm(whole) == pytest.approx(1)


def test_the_command(copy, capsys):
    words = ["evaluate", "voxceleb", "--data", copy, "--trials", copy / "veri_test.txt", "--ear", "fake_ear", "--json"]
    assert main([str(word) for word in words]) == 0
    assert json.loads(capsys.readouterr().out)["eer"] == 0
    assert main(["evaluate", "voxceleb"]) == 1
    assert "--trials" in capsys.readouterr().err
