import pytest

pytest.importorskip("torch")

from auricle.errors import WeightsError
from auricle.nn.checkpoints import from_hub


@pytest.mark.parametrize("offline", ["", "1"])
def test_the_hub_is_asked_only_online(offline, monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def download(repository, name, **options):
        asked.update(options)
        return str(tmp_path / name)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    monkeypatch.setenv("AURICLE_OFFLINE", offline)
    assert from_hub("someone/model", "model.safetensors", "abc") == tmp_path / "model.safetensors"
    assert asked == {"revision": "abc", "local_files_only": bool(offline)}


def test_what_the_hub_does_not_give_is_told(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def download(*_, **__):
        raise OSError("no route\nto the host")

    monkeypatch.setattr(hub, "hf_hub_download", download)
    with pytest.raises(WeightsError, match="someone/model/a cannot be fetched: no route") as caught:
        from_hub("someone/model", "a")
    assert "path=" in caught.value.remedy
