"""The JSON that every verb prints keeps to docs/schemas, and nothing else is on standard output."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry

from auricle.cli import VERBS
from tests.cli.test_train import SYSTEM, labelled  # noqa: F401

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
NAMED = {file.relative_to(SCHEMAS).as_posix(): json.loads(file.read_text()) for file in SCHEMAS.rglob("*.json")}
REGISTRY = Registry().with_contents((name, {"$id": name} | schema) for name, schema in NAMED.items())


ANSWERING = [verb for verb in VERBS if verb != "mcp"]  # which speaks JSON-RPC


def check(verb: str, value: object) -> None:
    schema = REGISTRY.contents(f"{verb}.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, registry=REGISTRY, format_checker=checker).validate(value)


def words_of(verb: str, sounds: Path, scratch: Path) -> list[object]:
    """A call of each verb that has something to answer."""
    low, high = (
        [f"{sounds / 'long.flac'}@{s}-{s + 0.8}" for s in starts] for starts in ((0, 1, 2, 9, 10), (4, 5, 6, 7, 7.2))
    )
    examples = [word for option, files in (("--yes", low), ("--no", high)) for file in files for word in (option, file)]
    return {
        "index": ["index", sounds, "--library", scratch / "library"],
        "search": ["search", "--like", sounds / "low 1.wav"],
        "similar": ["similar", sounds / "low 1.wav"],
        "events": ["events"],
        "identify": ["identify", sounds / "long.flac", "--library", scratch / "library"],
        "tag": ["tag", sounds / "low 1.wav", sounds / "broken.wav", "--ear", "fake_ear"],
        "duplicates": ["duplicates"],
        "speakers": ["speakers", "--ear", "fake_ear"],
        "versions": ["versions", sounds / "low 1.wav", "--ear", "fake_ear"],
        "teach": ["teach", "Hum", *examples, "--library", scratch / "library"],
        "serve": ["serve", "--port", 0],
        "stats": ["stats"],
        "show": ["show", sounds / "long.flac"],
        "export": ["export", "-o", scratch / "events.csv"],
        "doctor": ["doctor"],
        "prune": ["prune", "--dry-run"],
        "systems": ["systems"],
        "train": ["train", scratch / "mine.py", "--preset", "smoke", "--out", scratch / "run"],
        "evaluate": ["evaluate", scratch / "run"],
        "replicate": ["replicate", "adamp", "--arm", "toy", "--preset", "smoke"],
    }[verb]


@pytest.mark.parametrize("verb", ANSWERING)
def test_json_keeps_to_its_schema(verb, run, sounds, indexed, tmp_path, monkeypatch):
    if verb == "serve":
        monkeypatch.setattr("auricle.serve.server.run", lambda app, bound: None)
    shutil.copytree(indexed, tmp_path / "library")
    (tmp_path / "mine.py").write_text(SYSTEM)
    if verb == "evaluate":
        run(*words_of("train", sounds, tmp_path))
    if verb == "identify":
        run("index", sounds, "--library", tmp_path / "library", "--prints", "--workers", 1)
    result = run(*words_of(verb, sounds, tmp_path), "--json")
    value = json.loads(result.out)  # the whole of standard output
    assert value
    check(verb, value)


@pytest.mark.parametrize("verb", ANSWERING)
def test_a_schema_refuses_what_is_not_an_answer(verb):
    for value in ({"something": "else"}, [{"something": "else"}], "text"):
        with pytest.raises(jsonschema.ValidationError):
            check(verb, value)


def test_every_verb_is_in_the_documentation():
    text = (SCHEMAS.parent / "json.md").read_text()
    assert all(f"## {verb}" in text and f"schemas/{verb}.json" in text for verb in ANSWERING)


def test_a_report_on_own_sounds_keeps_to_the_schema_of_train(run, labelled, tmp_path):  # noqa: F811
    check("train", json.loads(run("train", "--data", labelled, "--ear", "fake_ear", "--out", tmp_path, "--json").out))
