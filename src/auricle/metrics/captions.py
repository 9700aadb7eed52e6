"""Metrics of captions: n-grams shared with what people wrote.

``captions`` holds one sentence a clip, ``references`` the sentences of people for each clip. Words are lower-case and
without punctuation (``words``); the published tables use a Java tokenizer, which differs in contractions only. The
numbers are those of ``aac-metrics`` and coco-caption on the same words. Not here: METEOR and SPICE, which are programs
in Java, and FENSE, which is a network.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ngrams = Counter[tuple[str, ...]]


def words(sentence: str) -> list[str]:
    """The words of ``sentence``, lower-case; hyphens and apostrophes inside a word stay."""
    return re.findall(r"\w+(?:['’-]\w+)*", sentence.lower())


def bleu(captions: Sequence[str], references: Sequence[Sequence[str]], n: int = 4) -> float:
    """BLEU-n of the whole set, in [0, 1] (Papineni et al., 2002).

    The geometric mean of the precisions of 1- to n-grams, each counted at most as often as in one reference, times a
    penalty when the captions are shorter than the references of closest length.

    Raises:
        ValueError: there are no captions, as for all metrics here, or one is without references.
    """
    _check(captions, references)
    hits, total = np.zeros(n), np.zeros(n)
    length = closest = 0
    for caption, people in zip(map(words, captions), references, strict=True):
        people = [words(sentence) for sentence in people]
        most = Counter[tuple[str, ...]]()
        for sentence in people:
            most |= _ngrams(sentence, n)
        for gram, count in _ngrams(caption, n).items():
            hits[len(gram) - 1] += min(count, most[gram])
        total += np.maximum(len(caption) - np.arange(n), 0)
        length += len(caption)
        closest += min((abs(len(sentence) - len(caption)), len(sentence)) for sentence in people)[1]
    if not hits.all():
        return 0.0
    penalty = math.exp(min(0.0, 1 - closest / length))
    return float(penalty * np.exp(np.log(hits / total).mean()))


def rouge_l(captions: Sequence[str], references: Sequence[Sequence[str]], beta: float = 1.2) -> NDArray[np.float64]:
    """ROUGE-L of each caption [n], in [0, 1] (Lin, 2004): the F-measure of the longest common subsequence of words.

    Precision and recall are each the best over the references, as in coco-caption; ``beta`` favours recall.
    """
    _check(captions, references)
    scores = []
    for caption, people in zip(map(words, captions), references, strict=True):
        people = [words(sentence) for sentence in people]
        common = [_common(caption, sentence) for sentence in people]
        precision = max(common) / max(len(caption), 1)
        recall = max(shared / max(len(sentence), 1) for shared, sentence in zip(common, people, strict=True))
        both = recall + beta**2 * precision
        scores.append((1 + beta**2) * precision * recall / both if both else 0.0)
    return np.array(scores)


def cider_d(captions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """CIDEr-D of each caption [n], in [0, 10] (Vedantam et al., 2015).

    The cosine of tf-idf vectors of 1- to 4-grams, each clipped to the reference's and damped where the lengths differ;
    the mean over references and over n, times 10. A word is rare if few *clips* of this set have it in a reference, so
    the value depends on the whole set; it needs at least two clips.
    """
    _check(captions, references)
    if len(captions) < 2:
        raise ValueError("CIDEr-D needs at least two clips: it asks which words are rare")
    people = [[words(sentence) for sentence in sentences] for sentences in references]
    clips = Counter(gram for each in people for gram in {g for sentence in each for g in _ngrams(sentence, 4)})
    scores = []
    for caption, sentences in zip(map(words, captions), people, strict=True):
        mine = _weights(caption, clips, len(captions))
        alike = [
            _clipped_cosine(mine, _weights(sentence, clips, len(captions)))
            * math.exp(-((_bigrams(caption) - _bigrams(sentence)) ** 2) / (2 * 6.0**2))
            for sentence in sentences
        ]
        scores.append(10 * float(np.mean(alike)))
    return np.array(scores)


def vocabulary(captions: Sequence[str]) -> int:
    """How many different words the captions use."""
    return len({word for caption in captions for word in words(caption)})


def _check(captions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not captions or len(captions) != len(references):
        raise ValueError(f"{len(captions)} captions but references of {len(references)} clips")
    if not all(references):
        raise ValueError("a clip is without references")


def _ngrams(sentence: Sequence[str], n: int) -> Ngrams:
    """All 1- to n-grams of ``sentence``, counted."""
    return Counter(tuple(sentence[i : i + k]) for k in range(1, n + 1) for i in range(len(sentence) - k + 1))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = row
        row = [0]
        for j, candidate in enumerate(other):
            row.append(before[j] + 1 if word == candidate else max(row[j], before[j + 1]))
    return row[-1]


def _bigrams(sentence: Sequence[str]) -> int:
    return max(len(sentence) - 1, 0)  # what coco-caption takes for the length


def _weights(sentence: Sequence[str], clips: Counter, n: int) -> list[dict[tuple[str, ...], float]]:
    """tf-idf of the 1- to 4-grams, one dict for each length."""
    weights: list[dict[tuple[str, ...], float]] = [{}, {}, {}, {}]
    for gram, count in _ngrams(sentence, 4).items():
        weights[len(gram) - 1][gram] = count * (math.log(n) - math.log(max(1, clips[gram])))
    return weights


def _clipped_cosine(mine: list[dict], theirs: list[dict]) -> float:
    """The mean over 1- to 4-grams of the cosine, no n-gram weighing more than in the reference."""
    cosines = []
    for one, other in zip(mine, theirs, strict=True):
        product = sum(min(weight, other.get(gram, 0.0)) * other.get(gram, 0.0) for gram, weight in one.items())
        norm = math.sqrt(sum(w**2 for w in one.values()) * sum(w**2 for w in other.values()))
        cosines.append(product / norm if norm else 0.0)
    return sum(cosines) / len(cosines)
