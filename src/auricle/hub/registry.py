"""The file system is the registry: a module that holds a ``CARD`` is a system, and its folder is its room.

``systems`` reads every card without importing a single system; ``load`` imports the one that is asked for. Packages
outside auricle join through the entry-point group ``auricle.systems``, whose values name modules of the same shape:

    [project.entry-points."auricle.systems"]
    myear = "mypackage.myear"
"""

import ast
import importlib
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import auricle
from auricle.errors import AuricleError, MissingExtra
from auricle.hub.card import Card, Weights

PACKAGE = Path(auricle.__file__).parent
GROUP = "auricle.systems"
INNER_ROOM = "train/optim"  # the one room that lies inside a floor of the ground

# A card is a call at the left margin that ends on the same line or with the next bracket at the margin. Reading only
# that much of each module keeps the walk over a hundred of them within milliseconds.
_CARD = re.compile(
    r"^CARD\b(?:(?:: Card)? = (Card\((?:[^\n]*\)[ \t]*(?:#[^\n]*)?$|.*?^\))))?", re.MULTILINE | re.DOTALL
)
_CONSTRUCTORS = {"Card": Card, "Weights": Weights}


def systems() -> dict[str, Card]:
    """Every system's card by name, auricle's own first, in alphabetical order of room and name.

    Raises:
        AuricleError: a card of auricle's own cannot be read. One of an outside package is left out with a warning.
    """
    cards = {card.name: card for card, _ in _own()}
    for card, _ in _outside():
        cards.setdefault(card.name, card)
    return cards


def modules() -> dict[str, str]:
    """The name of every system's module, by the system's name; in the order of ``systems``."""
    found = {card.name: module for card, module in _own()}
    for card, module in _outside():
        found.setdefault(card.name, module)
    return found


def load(name: str, **options: Any) -> Any:
    """Loads a system with its weights: imports its module and returns what the module's ``load(tag, ...)`` returns.

    Args:
        name: ``system`` or ``system@tag``, as in ``yamnet@int8``; without a tag, the card's first one. A card that
            lists no weights leaves the meaning of the tag to the module.
        options: passed on to the module's ``load``.

    Raises:
        AuricleError: there is no such system or tag, or the system has nothing to load.
        MissingExtra: the system needs an optional extra that is not installed.
        WeightsError: its weights cannot be fetched.
    """
    system, _, tag = name.partition("@")
    card, module_name = _find(system)
    if tag and card.weights and tag not in card.weights:
        known = ", ".join(f"{system}@{tag}" for tag in card.weights)
        raise AuricleError(f"{system} has no weights {tag!r}", f"Choose from: {known}")
    with _extras(card):
        module = importlib.import_module(module_name)
        if not hasattr(module, "load"):
            raise AuricleError(f"{system} is a {card.kind} with nothing to load", f"Its parts are in {module_name}")
        return module.load(tag or card.tag, **options)


def module_of(name: str) -> ModuleType:
    """The module of a system, imported.

    Raises:
        AuricleError: there is no such system.
        MissingExtra: it needs an optional extra that is not installed.
    """
    card, module_name = _find(name)
    with _extras(card):
        return importlib.import_module(module_name)


def result(card: Card) -> dict[str, Any]:
    """What ``auricle replicate`` wrote of a system (see ``auricle.train.replicate``); empty if not attempted."""
    return _read_result(f"{card.room}/{card.name}.json")


def speed(card: Card) -> float | None:
    """Seconds of sound that an ear hears in a second on one core, as ``auricle evaluate ears`` measured it."""
    return _read_result("ears.json").get("ears", {}).get(f"{card.name}@{card.tag}", {}).get("speed")


def _read_result(name: str) -> dict[str, Any]:
    for results in (PACKAGE / "results", PACKAGE.parents[1] / "results"):  # installed, or in a checkout
        file = results / name
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8"))
    return {}


def verdict(card: Card) -> str:
    """What re-running the card's claim gave: ``replicated``, ``partly``, ``not`` or ``not attempted``."""
    return result(card).get("verdict", "not attempted")


def read_card(path: Path) -> Card | None:
    """The card of the module in ``path``, from its text alone; None when the module has none.

    Raises:
        AuricleError: the card is not made of literals, or what it says cannot be.
    """
    found = _CARD.search(path.read_text(encoding="utf-8"))
    if not found:
        return None
    try:
        return _evaluate(ast.parse(found[1] or "", mode="eval").body)
    except (SyntaxError, TypeError, ValueError) as error:
        raise AuricleError(f"{path}: the card cannot be read: {error}", "Write it with literals only") from error


def _evaluate(node: ast.expr | None) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in _CONSTRUCTORS:
            values = {keyword.arg: _evaluate(keyword.value) for keyword in keywords if keyword.arg}
            return _CONSTRUCTORS[name](*map(_evaluate, arguments), **values)
        case ast.Tuple(elts=elements):
            return tuple(map(_evaluate, elements))
        case ast.Dict(keys=keys, values=values):
            return dict(zip(map(_evaluate, keys), map(_evaluate, values), strict=True))
        case ast.Constant(value=value):
            return value
    raise ValueError(f"{ast.unparse(node) if node else '**'} is not a literal")


def _own() -> Iterator[tuple[Card, str]]:
    """Cards under this package with their modules' names."""
    for path in sorted(
        [*PACKAGE.glob("*/*.py"), *PACKAGE.glob("*/*/__init__.py"), *PACKAGE.glob(f"{INNER_ROOM}/*.py")]
    ):
        module = path.parent if path.name == "__init__.py" else path.with_suffix("")
        if module.parent == PACKAGE or module.name.startswith("_"):
            continue
        if card := read_card(path):
            room = module.parent.relative_to(PACKAGE).as_posix()
            if (card.room, card.name) != (room, module.name):
                raise AuricleError(f"{path}: its card says {card.room}/{card.name}", "A card's place is its name")
            yield card, f"auricle.{room.replace('/', '.')}.{card.name}"


def _outside() -> Iterator[tuple[Card, str]]:
    """Cards of other installed packages with their modules' names; what cannot be read is warned of."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        try:
            path = _source(entry.module)
            card = read_card(path) if path else None
            if card is None:
                raise AuricleError(f"{entry.module} holds no CARD")
        except (AuricleError, OSError) as error:
            warnings.warn(f"the system {entry.name!r} is left out: {error}", RuntimeWarning, stacklevel=3)
        else:
            yield card, entry.module


def _source(module: str) -> Path | None:
    """Where a module's text is, found without importing its packages."""
    from importlib.machinery import PathFinder

    path, spec = None, None
    parts = module.split(".")
    for depth in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: depth + 1]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return Path(spec.origin) if spec and spec.origin else None


@contextmanager
def _extras(card: Card) -> Iterator[None]:
    """A package that is missing is reported as the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not card.extras or (error.name or "").partition(".")[0] == "auricle":
            raise
        raise MissingExtra(card.name, ",".join(card.extras)) from error


def _find(system: str) -> tuple[Card, str]:
    """A system's card and its module's name; auricle's own are found without looking at any other."""
    known = {}
    for cards in (_own, _outside):
        for card, module in cards():
            if card.name == system:
                return card, module
            known[card.name] = card
    close = get_close_matches(system.lower(), known, n=3, cutoff=0.5)
    raise AuricleError(
        f"there is no system {system!r}",
        f"Perhaps you meant {' or '.join(close)}" if close else "`auricle systems` lists them",
    )
