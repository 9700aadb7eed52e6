"""search, similar, events, show, stats, duplicates: what they print."""

import json

import pytest
import soundfile

from auricle.cli.clips import save_clips
from auricle.cli.search import nothing, parts
from auricle.types import Hit


def test_search_by_example_prints_one_line_a_hit(run, sounds):
    result = run("search", "--like", sounds / "low 1.wav", "--limit", 2)
    assert result.code == 0
    path, start, end, score, tags = result.lines[0]
    assert path.startswith(str(sounds / "low"))
    assert 0 <= float(start) < float(end) <= 2.5
    assert float(score) == pytest.approx(1, abs=1e-3)
    assert tags.startswith("Low tone 1.00")
    assert len(result.lines) == 2


def test_search_finds_an_excerpt(run, sounds):
    hits = json.loads(run("search", "--like", f"{sounds / 'long.flac'}@5-7", "--one-per-file", "--json").out)
    assert {hit["path"] for hit in hits} >= {str(sounds / "high 1.wav"), str(sounds / "long.flac")}
    assert not any("low" in hit["path"] for hit in hits)
    assert len({hit["recording"] for hit in hits}) == len(hits)
    long = next(hit for hit in hits if hit["path"].endswith("long.flac"))
    assert 3 < long["start"] < long["end"] < 9


def test_filters_hold(run, sounds):
    words = ("search", "--like", sounds / "low 1.wav", "--json")
    assert {hit["duration"] for hit in json.loads(run(*words, "--where", "duration > 5").out)} == {12.0}
    assert all(hit["score"] >= 0.99 for hit in json.loads(run(*words, "--min-score", 0.99).out))
    bad = run(*words, "--where", "colour = 'red'")
    assert (bad.code, bad.out) == (1, "")
    assert "duration" in bad.err  # the columns there are


def test_not_leads_away(run, sounds):
    words = ("search", "--like", sounds / "long.flac", "--one-per-file", "--json", "--min-score", 0)
    best = json.loads(run(*words, "--not", sounds / "low 2.wav").out)[0]
    assert "low" not in best["path"]


def test_nothing_is_said_honestly_and_stdout_stays_empty(run, sounds):
    result = run("search", "--like", sounds / "low 1.wav", "--where", "format = 'MP3'")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("Nothing like that here")
    assert json.loads(run("search", "--like", sounds / "low 1.wav", "--where", "format = 'MP3'", "--json").out) == []
    assert "--min-score 0.27" in nothing(0.279)


def test_an_empty_query_is_an_error(run):
    result = run("search")
    assert result.code == 1
    assert "nothing to look for" in result.err


def test_bare_words_are_one_sentence_and_quoted_ones_stand_alone():
    assert parts(("a", "dog", "barking")) == ["a dog barking"]
    assert parts(("dog barking", "rain")) == ["dog barking", "rain"]
    assert parts(("rain^2", "thunder")) == ["rain^2", "thunder"]
    assert parts(()) == []


def test_clips_are_the_stretches_and_never_overwrite(run, sounds, tmp_path):
    words = ("search", "--like", f"{sounds / 'long.flac'}@5-7", "--where", "path LIKE '%long%'", "--limit", 1)
    hit = json.loads(run(*words, "--json").out)[0]
    for expected in ("{}.flac", "{} (2).flac"):
        assert run(*words, "--save-clips", tmp_path / "clips").code == 0
        clip = tmp_path / "clips" / expected.format(f"long_{hit['start']:.2f}-{hit['end']:.2f}s")
        assert soundfile.info(clip).duration == pytest.approx(hit["end"] - hit["start"], abs=1e-3)


def test_a_recording_that_is_gone_costs_only_its_own_clip(sounds, tmp_path, capsys):
    gone, there = (Hit(str(sounds / name), 0.5, 1.5, 1.0) for name in ("gone.wav", "low 1.wav"))
    assert [clip.name for clip in save_clips([gone, there], tmp_path)] == ["low 1_0.50-1.50s.flac"]
    assert "gone.wav" in capsys.readouterr().err


def test_similar_leaves_out_the_file_itself(run, sounds):
    hits = json.loads(run("similar", sounds / "high 1.wav", "--json").out)
    assert hits[0]["path"] in (str(sounds / "high 2.wav"), str(sounds / "long.flac"))
    assert str(sounds / "high 1.wav") not in {hit["path"] for hit in hits}


def test_events_are_a_timeline(run, sounds):
    result = run("events", sounds / "long.flac", "--label", "high tone")
    assert result.code == 0
    ((path, start, end, label, score),) = result.lines
    assert (path, label) == (str(sounds / "long.flac"), "High tone")
    assert float(start) == pytest.approx(4, abs=0.6)
    assert float(end) == pytest.approx(8, abs=0.6)
    assert float(score) > 0.9


def test_events_of_an_unknown_class_name_close_ones(run):
    result = run("events", "--label", "hihg tone")
    assert result.code == 1
    assert "High tone" in result.err


def test_events_for_people_are_a_row_for_each_class(run, sounds, monkeypatch):
    monkeypatch.chdir(sounds)
    plain, pretty = run("events", "long.flac"), run("events", "long.flac", for_people=True)
    assert [line[0] for line in plain.lines] == [str(sounds / "long.flac")] * 3
    name, header, low, high = pretty.out.splitlines()
    assert name == "long.flac"
    assert header.split() == ["what", "score", "when"]
    assert low.startswith("Low tone   ━")
    assert low.count("–") == 2
    assert high.startswith("High tone  ··")
    assert high.count("–") == 1


def test_hits_for_people_are_ranked_and_short(run, sounds, monkeypatch):
    monkeypatch.chdir(sounds)
    header, first, *_ = run("search", "--like", "high 1.wav", for_people=True).out.splitlines()
    assert header.split() == ["file", "when", "score", "heard", "there"]
    assert first.split()[:3] == ["1", "high", "1.wav"]


def test_duplicates_are_grouped(run, sounds):
    copies = [line for line in run("duplicates").lines if line[0] == "copy"]
    assert copies == [["copy", "1.0000", "2.500", str(sounds / "low 1.wav"), str(sounds / "low copy.wav")]]
    assert len(json.loads(run("duplicates", "--json", "--limit", 1).out)) == 1


def test_show_tells_what_is_known(run, sounds):
    shown = dict(run("show", sounds / "long.flac").lines)
    assert shown["path"] == str(sounds / "long.flac")
    assert shown["duration"] == "0:12.0"
    assert shown["sample_rate"] == "16000"
    assert "Low tone " in shown["tags"]
    assert run("show", sounds / "none.wav").code == 1


def test_stats_add_up(run):
    stats = json.loads(run("stats", "--json").out)
    assert (stats["files"], stats["recordings"], stats["quarantined"]) == (6, 5, 1)
    assert stats["seconds"] == 22.0
    assert dict(run("stats").lines)["files"] == "6, of which 5 differ"
