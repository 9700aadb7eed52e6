"""Captions: by hand, and against ``aac-metrics`` 0.6.0 on the same words."""

import pytest

from auricle.metrics import captions

SAID = [
    "a man is speaking",
    "rain falls",
    "birds are singing while a car passes by in the distance",
    "a dog barks and a man is speaking",
]
WRITTEN = [
    ["a man speaks.", "someone speaks.", "a man is speaking while a bird is chirping in the background"],
    ["rain is falling hard on a surface"],
    ["several birds sing as a car passes by", "birds chirp and a car drives by in the distance"],
    ["a dog barks, then a man speaks", "a dog is barking and a man is speaking"],
]


def test_words():
    assert captions.words("A dog's high-pitched bark, then -- silence.") == [
        "a",
        "dog's",
        "high-pitched",
        "bark",
        "then",
        "silence",
    ]
    assert captions.vocabulary(["A dog.", "the dog"]) == 3


def test_the_published_implementation_gives_the_same():
    bleu = [captions.bleu(SAID, WRITTEN, n) for n in (1, 2, 3, 4)]
    assert bleu == pytest.approx([0.7754177309, 0.7150428472, 0.6523648474, 0.5500377740], abs=1e-8)
    rouge = [0.7721518987341772, 0.20198675496688742, 0.6724409448818898, 0.8148854961832059]
    assert captions.rouge_l(SAID, WRITTEN) == pytest.approx(rouge)
    cider = [1.0972451157549539, 0.5562641538606259, 3.126638604883853, 3.864290586821186]
    assert captions.cider_d(SAID, WRITTEN) == pytest.approx(cider)


def test_by_hand():
    assert captions.bleu(["the the the"], [["the cat"]], n=1) == pytest.approx(1 / 3)  # counted once, not three times
    assert captions.bleu(["a cat"], [["a cat sat"]], n=2) == pytest.approx(0.6065306597)  # exp(1 - 3/2)
    assert captions.rouge_l(["a b c"], [["a c"]]) == pytest.approx((1 + 1.44) * (2 / 3) / (1 + 1.44 * 2 / 3))
    same = ["one two three four", "five six seven eight"]
    assert captions.cider_d(same, [[sentence] for sentence in same]) == pytest.approx([10, 10])


def test_nothing_said_scores_nothing():
    assert captions.bleu([""], [["a cat"]]) == 0.0
    assert captions.rouge_l([""], [["a cat"]]) == 0.0
    assert captions.cider_d(["", "a"], [["a cat"], ["the dog"]]).tolist() == [0, 0]


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="clips"):
        captions.bleu(["a"], [])
    with pytest.raises(ValueError, match="without references"):
        captions.rouge_l(["a"], [[]])
    with pytest.raises(ValueError, match="two clips"):
        captions.cider_d(["a"], [["a"]])
