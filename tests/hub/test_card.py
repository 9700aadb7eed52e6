import pytest

from auricle.hub import Card, Weights

GOOD = {"file": "a.onnx", "sources": ("file:a.onnx",), "sha256": "0" * 64, "size": 1, "licence": "MIT"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": "../a.onnx"},
        {"file": "b/a.onnx"},
        {"file": ".hidden"},
        {"file": ""},
        {"sha256": "0" * 63},
        {"sha256": "A" * 64},
        {"size": 0},
        {"sources": ()},
        {"sources": ("http://example.org/a.onnx",)},
        {"sources": ("file:a.onnx", "ftp:a")},
    ],
)
def test_weights_that_cannot_be_are_refused(wrong):
    Weights(**GOOD)
    with pytest.raises(ValueError):  # noqa: PT011
        Weights(**(GOOD | wrong))


def test_a_kind_is_one_of_the_known_ones():
    with pytest.raises(ValueError, match="wizard"):
        Card(name="a", title="A", room="represent", kind="wizard")


def test_the_first_tag_is_the_default():
    weights = Weights(**GOOD)
    assert Card("a", "A", "represent", "model", weights={"int8": (weights,), "float": (weights,)}).tag == "int8"
    assert Card("a", "A", "represent", "model").tag == ""
