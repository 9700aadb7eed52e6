"""Several ears on one library, the second one CLAP's real architecture with tiny random weights."""

import pytest

from auricle.errors import AuricleError, LibraryError
from auricle.library import Library

pytest.importorskip("torch", reason="the extra [train] is not installed")
pytest.importorskip("transformers", reason="the extra [train] is not installed")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("default")
def test_clap_listens_beside_the_first_ear(library, sounds, tmp_path):
    from tests.align.tiny_clap import build

    folder = build(tmp_path / "tiny-clap")
    clap = Library(library.path, ear=f"clap={folder}")
    with pytest.raises(LibraryError, match="has not listened here"):
        clap.search("a high tone")
    tags = {r.path: r.tags for r in library.recordings()}
    report = clap.index(sounds, workers=1)
    assert (report.heard, report.unchanged) == (10, 0)
    assert clap.index(sounds, workers=1).unchanged == 10
    assert {r.path: r.tags for r in library.recordings()} == tags
    assert list(library.store.ears) == ["fake_ear@test", clap.ear]
    words = clap.search("a high tone", min_score=0, limit=3)
    assert len(words) == 3
    assert words == Library(library.path, ear="clap").search("a high tone", min_score=0, limit=3)
    assert len(clap.search(like=str(sounds / "long.flac"), limit=3)) == 3
    assert library.search(like=str(sounds / "high" / "high 0.wav"), limit=1)[0].score == pytest.approx(1, abs=0.01)


def test_an_ear_that_does_not_exist(library, sounds):
    with pytest.raises(AuricleError, match="no system"):
        Library(library.path, ear="no_such_ear").index(sounds)
