"""Each public set is read from a tiny copy in its true layout, counted, and refused when it is another."""

import json

import pytest

from auricle.data import sets
from auricle.errors import DataError


def write(root, files):
    """Writes ``files``: path -> text; sounds are only looked for, so an empty file will do."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


ESC50 = """filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
5-9032-A-0.wav,5,0,dog,True,9032,A
2-104952-A-40.wav,2,40,helicopter,False,104952,A
"""
URBAN = """slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark
7061-6-0-0.wav,7061,0.0,3.03,1,1,6,gun_shot
"""
SEGMENTS = """# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=2, num_segs=2
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"
--BfvyPmVMo, 20.000, 30.000, "/m/03l9g"
"""
INDICES = """index,mid,display_name
0,/m/03l9g,"Hammer"
1,/m/068hy,"Domestic animals, pets"
2,/m/07q6cd_,"Squeak"
"""
TAGS = '"clip_id"\t"guitar"\t"rock"\t"rare"\t"mp3_path"\n' + "\n".join(
    f'"{i}"\t"1"\t"{i % 2}"\t"0"\t"{folder}/artist-album-01-title{i}-0-29.mp3"' for i, folder in enumerate("0bcdf")
)
AUDIOCAPS = 'audiocap_id,youtube_id,start_time,caption\n97151,vfY_TJq7n_U,130,"Rustling, then a duck"\n'
CLOTHO = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\nDistorted AM Radio noise.wav,a,b,c,d,e\n"

LAYOUTS = {  # name: files, then (path, labels, source, split) of some rows
    "esc50": (
        {"meta/esc50.csv": ESC50, "audio/1-100032-A-0.wav": ""},
        [("audio/1-100032-A-0.wav", ["dog"], "100032", "1"),
         ("audio/2-104952-A-40.wav", ["helicopter"], "104952", "2")],
    ),
    "urbansound8k": (
        {"metadata/UrbanSound8K.csv": URBAN},
        [("audio/fold5/100032-3-0-0.wav", ["dog_bark"], "100032", "5")],
    ),
    "audioset": (
        {"class_labels_indices.csv": INDICES, "balanced_train_segments.csv": SEGMENTS, "eval_segments.csv": SEGMENTS},
        [("audio/--4gqARaEJE_0.wav", ["Domestic animals, pets", "Squeak"], "--4gqARaEJE", "train"),
         ("audio/--BfvyPmVMo_20.wav", ["Hammer"], "--BfvyPmVMo", "test")],
    ),
    "audiocaps": (
        {f"dataset/{part}.csv": AUDIOCAPS for part in ("train", "val", "test")},
        [("audio/vfY_TJq7n_U_130.wav", [], "vfY_TJq7n_U", "valid")],
    ),
    "clotho": (
        {f"clotho_captions_{part}.csv": CLOTHO for part in ("development", "validation", "evaluation")},
        [("development/Distorted AM Radio noise.wav", [], "Distorted AM Radio noise.wav", "train")],
    ),
    "gtzan": (
        {"genres/blues/blues.00000.wav": "", "genres/jazz/jazz.00054.wav": ""},
        [("genres/jazz/jazz.00054.wav", ["jazz"], "", "")],
    ),
    "magnatagatune": (
        {"annotations_final.csv": TAGS},
        [("0/artist-album-01-title0-0-29.mp3", ["guitar"], "artist-album-01-title0", "train"),
         ("c/artist-album-01-title2-0-29.mp3", ["guitar"], "artist-album-01-title2", "valid"),
         ("d/artist-album-01-title3-0-29.mp3", ["guitar", "rock"], "artist-album-01-title3", "test")],
    ),
    "musdb18": (
        {f"{track}/{stem}.wav": "" for stem in ("mixture", "vocals", "drums", "bass", "other")
         for track in ("train/A Classic Education - NightOwl", "train/ANiMAL - Rockshow", "test/AM Contra - Heart")},
        [("train/ANiMAL - Rockshow/mixture.wav", [], "ANiMAL - Rockshow", "valid"),
         ("test/AM Contra - Heart/mixture.wav", [], "AM Contra - Heart", "test")],
    ),
    "covers80": (
        {"covers32k/Abracadabra/steve_miller_band+Steve_Miller_Band_Live_+09-Abracadabra.mp3": "",
         "covers32k/Abracadabra/sugar_ray+14_59+10-Abracadabra.mp3": ""},
        [("covers32k/Abracadabra/sugar_ray+14_59+10-Abracadabra.mp3", ["Abracadabra"], "Abracadabra", "")],
    ),
    "shs100k": (
        {"list": "0\t0\tJingle Bells\tThe Singer\thttps://example.org/1\t1\n0\t1\tJingle Bells\tAnother\t-\t0\n",
         "SHS100K-TRAIN": "0\t0\n", "SHS100K-VAL": "", "SHS100K-TEST": "0\t1\n"},
        [("audio/0_0.wav", ["0"], "0", "train"), ("audio/0_1.wav", ["0"], "0", "test")],
    ),
    "datacos": (
        {"da-tacos_benchmark_subset_metadata.json": json.dumps(
            {"W_163992": {"P_547131": {"perf_title": "Trade Winds", "perf_artist": "Frank Sinatra"}}})},
        [("da-tacos_benchmark_subset_cens/W_163992_cens/P_547131_cens.h5", ["W_163992"], "W_163992", "")],
    ),
    "speech_commands": (
        {"validation_list.txt": "bed/026290a7_nohash_0.wav\n", "testing_list.txt": "bed/0c40e715_nohash_0.wav\n",
         "bed/026290a7_nohash_0.wav": "", "bed/0c40e715_nohash_0.wav": "", "cat/0c40e715_nohash_1.wav": "",
         "_background_noise_/pink_noise.wav": ""},
        [("bed/026290a7_nohash_0.wav", ["bed"], "026290a7", "valid"),
         ("cat/0c40e715_nohash_1.wav", ["cat"], "0c40e715", "train")],
    ),
    "voxceleb1": (
        {"iden_split.txt": "1 id10003/na8-QEFmj44/00003.wav\n3 id10003/tCq2LcKO6xY/00002.wav\n",
         "wav/id10003/na8-QEFmj44/00003.wav": ""},
        [("wav/id10003/na8-QEFmj44/00003.wav", ["id10003"], "id10003/na8-QEFmj44", "train"),
         ("wav/id10003/tCq2LcKO6xY/00002.wav", ["id10003"], "id10003/tCq2LcKO6xY", "test")],
    ),
    "starss23": (
        {"metadata_dev/dev-train-sony/fold3_room21_mix001.csv": "12,8,0,-22,-3,215\n13,1,1,90,10,180\n",
         "metadata_dev/dev-test-tau/fold4_room2_mix004.csv": "0,12,0,5,0,100\n",
         "foa_dev/dev-train-sony/fold3_room21_mix001.wav": ""},
        [("foa_dev/dev-train-sony/fold3_room21_mix001.wav", ["Male speech, man speaking", "Music"], "sony/room21",
          "train"),
         ("foa_dev/dev-test-tau/fold4_room2_mix004.wav", ["Knock"], "tau/room2", "test")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_true_layout_is_read(tmp_path, name):
    files, expected = LAYOUTS[name]
    write(tmp_path, files)
    rows = [(row["path"], row["labels"], row["source"], row["split"]) for row in sets.load(name, tmp_path)]
    assert [row for row in rows if row in expected] == sorted(expected, key=rows.index)
    report = sets.report(name, tmp_path)
    present = sum(path in files for path, *_ in rows)
    assert (report.present, sum(report.listed.values())) == (present, len(rows))
    assert len(report.missing) == len({path for path, *_ in rows if path not in files})
    assert sets.SETS[name].licence in str(report)


@pytest.mark.parametrize("name", sets.SETS)
def test_another_layout_is_refused(tmp_path, name):
    (tmp_path / "readme.txt").write_text("nothing of the kind")
    with pytest.raises(DataError, match="holds no"):
        sets.load(name, tmp_path)


def test_every_set_is_tried():
    assert set(LAYOUTS) | {"fsd50k"} == set(sets.SETS)


def test_a_report_tells_what_is_missing(tmp_path):
    write(tmp_path, LAYOUTS["esc50"][0])
    report = sets.report("esc50", tmp_path)
    assert not report.complete
    assert "1: 1 of 400 clips listed" in str(report)
    assert "missing: audio/5-9032-A-0.wav" in str(report)
    assert len(report.digests["meta/esc50.csv"]) == 64


def test_where_sets_lie_can_be_set(tmp_path, monkeypatch):
    write(tmp_path / "esc50", LAYOUTS["esc50"][0])
    monkeypatch.delenv("AURICLE_DATA", raising=False)
    with pytest.raises(DataError, match="set AURICLE_DATA"):
        sets.load("esc50")
    monkeypatch.setenv("AURICLE_DATA", str(tmp_path))
    assert len(sets.load("esc50")) == 3
    with pytest.raises(DataError, match="no data set 'esc51'"):
        sets.load("esc51")


@pytest.mark.parametrize(
    ("name", "file", "text", "problem"),
    [
        ("esc50", "meta/esc50.csv", "name,fold\n", "no column 'filename'"),
        ("audioset", "eval_segments.csv", "a, 1.0, 2.0, /m/none\n", "is no segment"),
        ("voxceleb1", "iden_split.txt", "4 x.wav\n", "is no line of it"),
        ("starss23", "metadata_dev/dev-train-sony/a.csv", "frame,class\n", "is no table of frame"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, name, file, text, problem):
    write(tmp_path, LAYOUTS[name][0] | {file: text})
    with pytest.raises(DataError, match=problem):
        sets.load(name, tmp_path)
