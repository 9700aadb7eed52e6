import sys
import types
from importlib.metadata import EntryPoint
from time import perf_counter

import pytest

import auricle
from auricle.errors import AuricleError, MissingExtra
from auricle.hub import Card, Weights, registry

HUM = '''
"""A system that must not be imported to be known."""

raise RuntimeError("imported")

CARD = Card(
    name="hum",
    title="Humming " "along",
    room="toys",
    kind="model",
    authors=("A. Author", "B. Author"),
    year=2020,
    weights={
        "small": (
            Weights(
                file="hum.safetensors",
                sources=("file:hum.safetensors",),
                sha256="%s",
                size=3,
                licence="MIT",
            ),
        ),
        "large": (),
    },
    extras=("train",),
    ear=True,
)
''' % ("0" * 64)


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A package with one room, ``toys``, in auricle's place; nothing outside joins."""
    room = tmp_path / "auricle" / "toys"
    room.mkdir(parents=True)
    monkeypatch.setattr(registry, "PACKAGE", tmp_path / "auricle")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    return room


def pretend(monkeypatch, name, **content):
    """Puts a module with ``content`` where ``import name`` finds it."""
    module = types.ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def test_a_card_is_read_without_importing_its_module(toys):
    (toys / "hum.py").write_text(HUM)
    file = Weights("hum.safetensors", ("file:hum.safetensors",), "0" * 64, 3, "MIT")
    assert registry.systems() == {
        "hum": Card(
            name="hum",
            title="Humming along",
            room="toys",
            kind="model",
            authors=("A. Author", "B. Author"),
            year=2020,
            weights={"small": (file,), "large": ()},
            extras=("train",),
            ear=True,
        )
    }


def test_packages_and_one_line_cards_count_but_private_modules_do_not(toys):
    (toys / "choir").mkdir()
    (toys / "choir" / "__init__.py").write_text('CARD = Card("choir", "Choir", "toys", "study")\n')
    (toys / "choir" / "voices.py").write_text('CARD = Card("voices", "Voices", "choir", "study")\n')
    (toys / "drum.py").write_text('CARD: Card = Card(name="drum", title="(Drum)", room="toys", kind="dataset")  # so\n')
    (toys / "_shared.py").write_text('CARD = Card("shared", "Shared", "toys", "study")\n')
    (toys / "__init__.py").write_text("")
    (toys / "ground.py").write_text("def without_a_card(): ...\n")
    assert {name: card.title for name, card in registry.systems().items()} == {"choir": "Choir", "drum": "(Drum)"}


@pytest.mark.parametrize(
    "card",
    [
        'Card(name="hum", title=open("x"), room="toys", kind="model")',
        'Card(name="hum", title=TITLE, room="toys", kind="model")',
        'Card(name="hum", title="Hum", room="toys", kind="model", year=__import__("os").system("false"))',
        'Card(name="hum", title="Hum", room="toys", kind="wizard")',
        'Card(name="hum", title="Hum", room="toys", kind="model", colour="red")',
        'Card(name="hum", title="Hum", room="toys", kind="model", weights={**others})',
        'Card(name="hum", title="Hum", room="elsewhere", kind="model")',
        'Card(name="hum" title="Hum")',
        "make_card()",
    ],
)
def test_a_card_that_is_wrong_or_not_literal_is_refused_with_its_file(toys, card):
    (toys / "hum.py").write_text(f"CARD = {card}\n")
    with pytest.raises(AuricleError, match=r"hum\.py"):
        registry.systems()


def test_load_imports_the_system_and_passes_tag_and_options(toys, monkeypatch):
    (toys / "hum.py").write_text(HUM)
    pretend(monkeypatch, "auricle.toys.hum", load=lambda tag, **options: (tag, options))
    assert registry.load("hum") == ("small", {})
    assert registry.load("hum@large", threads=2) == ("large", {"threads": 2})
    with pytest.raises(AuricleError, match="Choose from: hum@small, hum@large"):
        registry.load("hum@huge")


def test_a_card_without_weights_leaves_the_tag_to_the_module(toys, monkeypatch):
    (toys / "drum.py").write_text('CARD = Card(name="drum", title="Drum", room="toys", kind="model")\n')
    pretend(monkeypatch, "auricle.toys.drum", load=lambda tag: tag)
    assert registry.load("drum") == ""
    assert registry.load("drum@mine") == "mine"


def test_an_unknown_name_is_answered_with_near_ones(toys):
    (toys / "hum.py").write_text(HUM)
    with pytest.raises(AuricleError, match=r"there is no system 'hmu'\. Perhaps you meant hum"):
        registry.load("hmu")
    with pytest.raises(AuricleError, match="auricle systems"):
        registry.load("zzz")


def test_what_has_no_weights_says_so(toys, monkeypatch):
    (toys / "drum.py").write_text('CARD = Card(name="drum", title="Drum", room="toys", kind="benchmark")\n')
    pretend(monkeypatch, "auricle.toys.drum")
    with pytest.raises(AuricleError, match="a benchmark with nothing to load"):
        registry.load("drum")


def test_a_missing_extra_is_named_and_other_import_errors_are_not_hidden(toys, monkeypatch):
    def load_needing(module):
        def load(tag):
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)

        return load

    (toys / "hum.py").write_text(HUM)
    pretend(monkeypatch, "auricle.toys.hum", load=load_needing("torch.nn"))
    with pytest.raises(MissingExtra, match=r"hum needs the optional extra \[train\]"):
        registry.load("hum")
    pretend(monkeypatch, "auricle.toys.hum", load=load_needing("auricle.gone"))
    with pytest.raises(ModuleNotFoundError, match=r"auricle\.gone"):
        registry.load("hum")


@pytest.fixture
def outside(tmp_path, monkeypatch, toys):
    """An outside package ``orchestra`` that breaks when imported, and the list of its entry points."""
    package = tmp_path / "elsewhere" / "orchestra"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "violin.py").write_text('CARD = Card(name="violin", title="Violin", room="represent", kind="model")\n')
    (package / "tuba.py").write_text("CARD = Card(name=NAME)\n")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    entries = [EntryPoint("violin", "orchestra.violin", registry.GROUP)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)
    return entries


def test_an_outside_package_joins_without_being_imported(outside, monkeypatch):
    assert registry.systems()["violin"].title == "Violin"
    assert "orchestra" not in sys.modules
    pretend(monkeypatch, "orchestra.violin", load=lambda tag: "strings")
    assert registry.load("violin") == "strings"


def test_an_outside_card_that_cannot_be_read_is_left_out_with_a_warning(outside):
    outside[:0] = [
        EntryPoint("tuba", "orchestra.tuba", registry.GROUP),
        EntryPoint("gone", "orchestra.gone", registry.GROUP),
        EntryPoint("bare", "orchestra", registry.GROUP),
    ]
    with pytest.warns(RuntimeWarning, match="is left out") as caught:
        assert list(registry.systems()) == ["violin"]
    assert len(caught) == 3


def test_auricles_own_system_wins_over_one_of_the_same_name(outside, toys):
    (toys / "violin.py").write_text('CARD = Card(name="violin", title="Ours", room="toys", kind="model")\n')
    assert registry.systems()["violin"].title == "Ours"


def test_a_verdict_comes_from_the_results(toys):
    card = Card("hum", "Hum", "toys", "model")
    assert registry.verdict(card) == "not attempted"
    results = registry.PACKAGE / "results" / "toys"
    results.mkdir(parents=True)
    (results / "hum.json").write_text('{"verdict": "replicated"}')
    assert registry.verdict(card) == "replicated"


def test_the_shipped_cards_are_sound_and_quick_to_read():
    registry.systems()
    times = []
    for _ in range(3):
        start = perf_counter()
        cards = auricle.systems()
        times.append(perf_counter() - start)
    assert all(card.title and card.name == name for name, card in cards.items())
    assert min(times) < 0.05
