"""The default ear on the sample recordings: what people see first."""

import json
from pathlib import Path

import pytest

from auricle.cli import main

DEMO = Path(__file__).parents[2] / "data" / "demo"

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def heard(tmp_path_factory) -> Path:
    """The sample recordings, indexed by the default ear."""
    folder = tmp_path_factory.mktemp("demo") / "library"
    assert main(["index", str(DEMO), "--library", str(folder)]) == 0
    return folder


@pytest.fixture
def ask(run, heard, monkeypatch):
    """Calls a verb on that library and returns its answer."""
    monkeypatch.delenv("AURICLE_OFFLINE")  # words need weights of their own
    return lambda *words: json.loads(run(*words, "--library", heard, "--json").out)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("a dog barking", {"two dogs barking.mp3", "kennel.ogg", "street corner.opus", "one day on a farm.opus"}),
        ("rain falling", {"steady rain.opus"}),
        ("somebody hammering on a drum", {"drum roll.ogg", "drum kit.mp3", "tabla.ogg", "street corner.opus"}),
        (
            "a rooster greets the morning",
            {"rooster at dawn.ogg", "Copy of rooster at dawn.ogg", "one day on a farm.opus"},
        ),
        ("an aeroplane flies over", {"jet passing.ogg", "helicopter.ogg"}),
    ],
)
def test_words_find_the_sound(ask, words, names):
    assert Path(ask("search", words)[0]["path"]).name in names


def test_an_example_finds_its_like(ask):
    hits = ask("search", "--like", f"{DEMO / 'water' / 'slow brook.ogg'}@2-4", "--one-per-file")
    assert {Path(hit["path"]).name for hit in hits[:2]} == {"slow brook.ogg", "brook 24k.mp3"}


def test_an_excerpt_of_a_mix_finds_the_sound_in_it(ask):
    dog = next(event for event in ask("events", DEMO / "mixes" / "street corner.opus") if event["label"] == "Dog")
    excerpt = f"{dog['path']}@{dog['start']}-{dog['end']}"
    assert Path(ask("similar", excerpt, "--where", "path NOT LIKE '%mixes%'")[0]["path"]).parent.name == "animals"


def test_duplicates_are_the_two_there_are(ask):
    groups = {group["kind"]: {Path(path).name for path in group["paths"]} for group in ask("duplicates")}
    assert groups == {
        "copy": {"rooster at dawn.ogg", "Copy of rooster at dawn.ogg"},
        "re-encoded": {"slow brook.ogg", "brook 24k.mp3"},
    }


def test_tags_name_the_animal(ask, run):
    (answer,) = json.loads(run("tag", DEMO / "farm" / "cow mooing.mp3", "--json").out)
    assert {"Moo", "Cattle, bovinae"} & {tag["label"] for tag in answer["tags"][:3]}


def test_nothing_is_wrong(ask):
    library = ask("doctor")["library"]
    assert (library["quarantined"], library["missing"], library["unfinished"], library["orphans"]) == ([], [], False, 0)
