"""Whatever the schema allows, and much that it does not, is answered as the schema says, and never with a 5xx."""

import random
import shutil
from pathlib import Path
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks as openapi

from auricle.library import Library
from auricle.library.labels import Labels
from auricle.serve.app import create_app
from tests.serve.conftest import running

OPERATIONS = [
    (method, path)
    for path, operations in create_app({"library": Path("nowhere")}).openapi()["paths"].items()
    for method in operations
]
LONGEST = 32_000  # characters of a query that the server reads at all; longer ones it cuts off, with the connection
CHECKS = [
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]


@pytest.fixture(scope="module")
def folder(indexed, tmp_path_factory):
    return shutil.copytree(indexed, tmp_path_factory.mktemp("schema") / "library")


@pytest.fixture(scope="module")
def known(folder) -> dict[str, list[str]]:
    """Values of path parameters that there are."""
    library = Library(folder)
    recordings = [recording.id for recording in library.recordings()]
    labels = Labels(library.store)
    return {"lib": ["default"], "rec": recordings, "id": [labels.add(recordings[0], 0, 1, "A").id for _ in range(3)]}


@pytest.fixture(scope="module")
def api(folder):
    with running(folder, write_paths=False) as (host, port):  # else every example would start a process
        yield schemathesis.openapi.from_url(f"http://{host}:{port}/api/v1/openapi.json")


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=map(" ".join, OPERATIONS))
def test_the_api_keeps_to_its_schema(api, known, method, path):
    operation = api[path][method]
    # In an address everything is text, so that what the schema forbids there may be sent as something it allows.
    validated = CHECKS if method in ("get", "delete") else [*CHECKS, openapi.negative_data_rejection]

    @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode]), draw=st.randoms())
    @settings(max_examples=40, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    def answered_as_described(case: schemathesis.Case, draw: random.Random) -> None:
        address = case.meta.components.get(ParameterLocation.PATH)
        if address and address.mode is GenerationMode.POSITIVE:  # else it is what the schema forbids
            for name, values in known.items():
                if name in case.path_parameters and draw.random() < 0.8:  # most of what is made up is nowhere
                    case.path_parameters[name] = draw.choice(values)
        assume(len(urlencode(case.query or {}, doseq=True)) < LONGEST)
        case.call_and_validate(checks=validated)

    answered_as_described()


def test_everything_is_described(api):
    """Every route has a summary, and says what it answers when something is wrong."""
    for path, operations in api.raw_schema["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in operations.items():
            assert operation.get("description") or operation.get("summary"), (path, method)
            assert {"404", "422", "503"} <= set(operation["responses"]), (path, method)
            for status, response in operation["responses"].items():
                if status >= "400":
                    model = response["content"]["application/json"]["schema"]["$ref"]
                    assert model == "#/components/schemas/ErrorBody", (path, method, status)
