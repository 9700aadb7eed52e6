import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from auricle.serve.limits import LINGER, MIB, Limits
from tests.serve.conftest import BASE, asking, problem, running

SMALL = Limits(body=1000, upload=MIB, body_grace=0.5, body_rate=100, head=0.5, stall=0.5)


def talk(address: tuple[str, int], *pieces: bytes, pause: float = 0.0) -> bytes:
    """Sends ``pieces`` with a pause before each but the first, and returns all that comes back."""
    with socket.create_connection(address, timeout=20) as connection:
        received = []

        def listen() -> None:
            with suppress(ConnectionResetError):
                while data := connection.recv(65536):
                    received.append(data)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        with suppress(OSError):  # the server has hung up
            for i, piece in enumerate(pieces):
                time.sleep(pause if i else 0)
                connection.sendall(piece)
        listener.join(20)
        assert not listener.is_alive()
        return b"".join(received)


def head(method: str, path: str, **headers: object) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.fixture(scope="module")
def address(indexed):
    with running(indexed, limits=SMALL) as address:
        yield address


@pytest.mark.parametrize("claimed", [4000, 10, None])
def test_a_large_body_is_refused_while_it_comes_in(client, address, claimed):
    """Whatever its length claims; the answer arrives although the client is still sending."""
    body = b"x" * 4000
    if claimed is None:
        sent = [head("POST", f"{BASE}/search", transfer_encoding="chunked"), *[chunk(body)] * 500, chunk(b"")]
    else:
        sent = [head("POST", f"{BASE}/search", content_length=claimed), body]
    answer = talk(address, *sent)
    if claimed == 10:  # no more is read than it said
        assert answer.startswith(b"HTTP/1.1 422")
    else:
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"larger than" in answer


def test_a_large_upload_is_refused_while_it_comes_in(address):
    begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    request = head(
        "POST", f"{BASE}/uploads", transfer_encoding="chunked", content_type="multipart/form-data; boundary=x"
    )
    began = time.monotonic()
    answer = talk(address, request, chunk(begin), *[chunk(bytes(65536))] * 200, chunk(b"\r\n--x--\r\n"), chunk(b""))
    assert answer.startswith(b"HTTP/1.1 413")
    assert time.monotonic() - began < LINGER


def test_a_slow_body_is_given_up(address):
    request = head("POST", f"{BASE}/search", content_length=900, content_type="application/json")
    began = time.monotonic()
    answer = talk(address, request, *[b" "] * 40, pause=0.1)
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 3


def test_a_steady_body_may_take_its_time(address):
    body = b'{"words":[{"text":' + b" " * 300 + b'"x","weight":0}]}'
    pieces = [body[i : i + 50] for i in range(0, len(body), 50)]
    request = head("POST", f"{BASE}/search", content_length=len(body), content_type="application/json")
    assert talk(address, request, *pieces, pause=0.12).startswith(b"HTTP/1.1 422")  # it was read whole


@pytest.mark.parametrize("begin", [b"", b"GET ", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: "])
def test_a_slow_head_is_given_up(address, begin):
    began = time.monotonic()
    assert talk(address, begin, *[b"x"] * 30, pause=0.1) == b""
    assert time.monotonic() - began < 4


def test_a_huge_head_is_refused(address):
    answer = talk(address, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", *[b"X-Long: " + b"x" * 10_000 + b"\r\n"] * 10)
    assert answer[:12] in (b"", b"HTTP/1.1 400")  # closed while the client was still sending, or answered before


def test_what_is_no_http_is_refused(address):
    assert talk(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_reader_that_stalls_is_given_up(indexed, tmp_path):
    """An answer larger than all buffers, which nobody reads."""
    import soundfile

    from auricle.library import Library
    from tests.serve.conftest import RATE, tone

    soundfile.write(tmp_path / "long.wav", tone(200, 400), RATE)
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "long.wav", workers=1)
    with running(tmp_path / "library", limits=SMALL) as address, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        connection.sendall(head("GET", f"{BASE}/recordings/{library.recordings()[0].id}/audio"))
        time.sleep(1.5)
        received = 0
        connection.settimeout(10)
        with suppress(ConnectionResetError):
            while data := connection.recv(2**20):
                received += len(data)
        assert 0 < received < 400 * RATE * 2


def test_more_requests_than_allowed_are_sent_away(indexed):
    with running(indexed, limits=replace(SMALL, requests=2, body_grace=3.0)) as address:
        waiting = []
        for _ in range(2):
            connection = socket.create_connection(address)
            connection.sendall(head("POST", f"{BASE}/search", content_length=10))
            waiting.append(connection)
        time.sleep(0.3)
        answer = talk(address, head("GET", f"{BASE}/stats"))
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2" in answer.lower()
        for connection in waiting:
            connection.close()
        time.sleep(0.3)
        assert talk(address, head("GET", f"{BASE}/stats")).startswith(b"HTTP/1.1 200")


def test_work_that_takes_too_long_is_given_up(indexed, monkeypatch):
    from auricle.serve import work
    from auricle.serve.uploads import Uploads

    stopped = threading.Event()

    def slow(*_):
        try:
            while True:
                time.sleep(0.01)
                work.go_on()
        except work.AbandonedError:
            stopped.set()
            raise

    monkeypatch.setattr(Uploads, "hear", slow)
    with asking(indexed, limits=Limits(wait=0.3)) as client:
        answer = client.post(f"{BASE}/uploads", files={"file": ("a.wav", b"")})
        assert "too long" in problem(answer, 503)
        assert stopped.wait(5)


def test_nobody_works_for_a_client_that_left(indexed, monkeypatch):
    from auricle.serve import work
    from auricle.serve.uploads import Uploads

    began, stopped = threading.Event(), threading.Event()

    def slow(*_):
        began.set()
        try:
            while True:
                time.sleep(0.01)
                work.go_on()
        except work.AbandonedError:
            stopped.set()
            raise

    monkeypatch.setattr(Uploads, "hear", slow)
    with running(indexed) as address, socket.create_connection(address) as connection:
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\r\n--x--\r\n'
        kind = "multipart/form-data; boundary=x"
        connection.sendall(head("POST", f"{BASE}/uploads", content_length=len(form), content_type=kind) + form)
        assert began.wait(5)
        connection.close()
        assert stopped.wait(5)
