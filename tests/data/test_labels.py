"""Labels as people keep them: folders, tables, Audacity's and Raven's files."""

import pytest

from auricle.data import from_audacity, from_csv, from_folders, from_raven
from auricle.errors import DataError


def test_folders(tmp_path, tone):
    for path in ("dog/a.wav", "dog/deep/b.flac", "cat/c.ogg"):
        tone(tmp_path / path)
    (tmp_path / "cat/notes.txt").write_text("no sound")
    manifest = from_folders(tmp_path)
    assert [(row["path"], row["labels"]) for row in manifest] == [
        ("cat/c.ogg", ["cat"]), ("dog/a.wav", ["dog"]), ("dog/deep/b.flac", ["dog"]),
    ]  # fmt: skip
    with pytest.raises(DataError, match="no recordings in folders"):
        from_folders(tmp_path / "dog/deep")


def test_folders_of_splits(tmp_path, tone):
    tone(tmp_path / "train/dog/a.wav")
    tone(tmp_path / "test/cat/b.wav")
    assert {(row["split"], *row["labels"]) for row in from_folders(tmp_path)} == {("train", "dog"), ("test", "cat")}


def test_csv(tmp_path):
    (tmp_path / "t.tsv").write_text("file\ttag\tonset\toffset\twho\na.wav\tdog, cat\t0,5\t1.5\tx\nb.wav\t\t\t\ty\n")
    manifest = from_csv(
        tmp_path / "t.tsv", path="file", label="tag", separator=",", start="onset", end="offset", source="who"
    )
    assert list(manifest) == [
        {"path": "a.wav", "start": 0.5, "end": 1.5, "labels": ["dog", "cat"], "source": "x", "split": ""},
        {"path": "b.wav", "start": 0.0, "end": None, "labels": [], "source": "y", "split": ""},
    ]
    with pytest.raises(DataError, match="no column 'path'"):
        from_csv(tmp_path / "t.tsv")
    (tmp_path / "t.csv").write_text("path,label,start\na.wav,dog,soon\n")
    with pytest.raises(DataError, match="line 2: 'soon' is no time"):
        from_csv(tmp_path / "t.csv", start="start")


def test_audacity(tmp_path, tone):
    tone(tmp_path / "a.wav", 3.0)
    tone(tmp_path / "unlabelled.wav")
    (tmp_path / "a.txt").write_text("0.500000\t1.250000\tdog\n\\\t100.0\t2000.0\n2.0\t2.0\tpoint\n2.1\t2.5\t\n")
    assert [(r["start"], r["end"], r["labels"], r["source"]) for r in from_audacity(tmp_path)] == [
        (0.5, 1.25, ["dog"], "a.wav")
    ]
    (tmp_path / "a.txt").write_text("begin\tend\tdog\n")
    with pytest.raises(DataError, match=r"a\.txt, line 1: 'begin' is no time"):
        from_audacity(tmp_path)


def test_raven(tmp_path, tone):
    tone(tmp_path / "night/a.wav", 3.0)
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
    lines = "1\tWaveform 1\t1\t0.5\t1.0\t0\t4000\towl\n1\tSpectrogram 1\t1\t0.5\t1.0\t0\t4000\towl\n"
    (tmp_path / "night/a.Table.1.selections.txt").write_text(head + lines)
    assert [(r["path"], r["start"], r["end"], r["labels"]) for r in from_raven(tmp_path)] == [
        ("night/a.wav", 0.5, 1.0, ["owl"])
    ]
    with pytest.raises(DataError, match="no column Call"):
        from_raven(tmp_path, "Call")
    (tmp_path / "night/b.selections.txt").write_text(head + lines)
    with pytest.raises(DataError, match=r"b\.selections\.txt has no recording"):
        from_raven(tmp_path)
