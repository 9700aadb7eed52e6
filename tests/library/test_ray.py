import pytest
from tests.library.conftest import rows

from auricle.library import Library

ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_two_ray_workers_store_the_same_rows(library, sounds, tmp_path):
    (sounds / "broken.wav").write_bytes(b"RIFF nonsense")
    scaled = Library(tmp_path / "scaled", ear="fake_ear")
    report = scaled.index(sounds, engine="ray", workers=2)
    assert (report.heard, report.quarantined) == (10, 1)
    assert rows(scaled) == rows(library)
    again = scaled.index(sounds, engine="ray", workers=2)
    assert (again.heard, again.unchanged) == (0, 10)
