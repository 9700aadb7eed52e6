"""tag, doctor, prune, systems: what they print and when they fail."""

import json
import shutil

import pytest

from auricle.cli import prune
from auricle.hub import systems


def test_tag_needs_no_library(run, sounds, tmp_path):
    result = run("tag", sounds / "high 1.wav", sounds / "low 1.wav", "--ear", "fake_ear")
    assert result.code == 0
    assert [tags.split(" 0")[0].split(" 1")[0] for _, tags in result.lines] == ["High tone", "Low tone"]


def test_a_broken_file_does_not_stop_the_others(run, sounds):
    words = ("tag", sounds / "broken.wav", sounds / "low 1.wav", sounds / "none.wav", "--ear", "fake_ear")
    result = run(*words)
    assert result.code == 1
    assert len(result.lines) == 1
    assert result.err.count("auricle: warning: ") == 2
    answers = json.loads(run(*words, "--json").out)
    assert [("error" in answer, bool(answer["tags"])) for answer in answers] == [
        (True, False),
        (False, True),
        (True, False),
    ]


def test_a_folder_stands_for_its_files(run, sounds):
    assert len(json.loads(run("tag", sounds, "--ear", "fake_ear", "--json").out)) == 7


def test_tag_lists_the_classes_of_an_ear(run):
    assert run("tag", "--classes", "--ear", "fake_ear").out.splitlines()[0] == "Silence"
    assert json.loads(run("tag", "--classes", "--ear", "fake_ear", "--json").out)[-1] == "High tone"


def test_tag_without_a_file_is_an_error(run):
    assert run("tag").code == 1


def test_doctor_gives_reasons(run, sounds):
    result = run("doctor")
    assert result.code == 0
    assert f"{sounds / 'broken.wav'}\t" in result.out
    facts = json.loads(run("doctor", "--json").out)
    assert facts["library"]["quarantined"][0]["path"] == str(sounds / "broken.wav")
    assert facts["library"]["missing"] == []
    assert facts["packages"]["numpy"]


def test_doctor_checks_the_installation_without_a_library(run, tmp_path):
    result = run("doctor", "--library", tmp_path / "none", "--json")
    assert result.code == 0
    assert json.loads(result.out)["library"] is None


@pytest.fixture
def shrunk(run, sounds, tmp_path):
    """A library of two files of which one is gone since."""
    folder, library = tmp_path / "folder", tmp_path / "shrunk"
    folder.mkdir()
    for name in ("low 1.wav", "high 1.wav"):
        shutil.copy(sounds / name, folder)
    assert run("index", folder, "--ear", "fake_ear", "--workers", 1, "--library", library).code == 0
    (folder / "low 1.wav").unlink()
    return library, str(folder / "low 1.wav")


def test_prune_forgets_what_is_gone_once_agreed(run, shrunk, monkeypatch):
    library, gone = shrunk
    dry = run("prune", "--library", library, "--dry-run")
    assert (dry.code, dry.out) == (0, f"{gone}\n")

    nobody = run("prune", "--library", library)
    assert nobody.code == 1
    assert "--yes" in nobody.err

    monkeypatch.setattr(prune, "agreed", lambda gone: False)
    assert "Nothing was forgotten" in run("prune", "--library", library).err
    assert json.loads(run("prune", "--library", library, "--dry-run", "--json").out)["forgotten"] == [gone]

    assert json.loads(run("prune", "--library", library, "--yes", "--json").out) == {
        "forgotten": [gone],
        "dry_run": False,
    }
    assert "still there" in run("prune", "--library", library).err


def test_prune_asks_on_a_terminal_and_takes_only_yes(capsys, monkeypatch, tmp_path):
    class Terminal:
        def __init__(self, answer):
            self.answer = answer

        def isatty(self):
            return True

        def readline(self):
            return self.answer

    for answer, agreed in {"y\n": True, "YES\n": True, "\n": False, "no\n": False, "": False}.items():
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert prune.agreed([str(tmp_path / "a.wav")]) is agreed
    assert "is a disk not mounted?" not in capsys.readouterr().err
    prune.agreed(["/mnt/none/sounds/a.wav", "/mnt/none/sounds/b.wav"])
    assert "is a disk not mounted?" in capsys.readouterr().err


def test_systems_are_listed_and_chosen(run):
    everything = json.loads(run("systems", "--json").out)
    assert {row["name"] for row in everything} == set(systems())
    by_name = [row["name"] for row in json.loads(run("systems", "--sort", "name", "--json").out)]
    assert by_name == sorted(by_name)
    ears = json.loads(run("systems", "--for", "embed", "--json").out)
    assert {"yamnet", "panns"} <= {row["name"] for row in ears} < {row["name"] for row in everything}
    assert all(row["ear"] or row["room"] == "represent" or "embed" in row["task"] for row in ears)
    assert {row["name"] for row in everything if row["room"] == "represent"} <= {row["name"] for row in ears}
    none = run("systems", "--for", "nonsense")
    assert (none.code, none.out) == (0, "")
    assert "nonsense" in none.err
