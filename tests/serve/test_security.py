import pytest

from auricle.errors import AuricleError
from auricle.serve.app import create_app
from auricle.serve.security import is_loopback
from tests.serve.conftest import BASE, asking, problem

TOKEN = "a token of more than sixteen characters"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:8765", "[bad", "0.0.0.0"])
def test_only_names_of_the_loopback_are_answered(client, host):
    assert "localhost" in problem(client.get(f"{BASE}/stats", headers={"host": host}), 403)
    assert problem(client.get("/", headers={"host": host}), 403)


@pytest.mark.parametrize("host", ["localhost", "localhost:9999", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:1"])
def test_any_port_of_the_loopback_is_answered(client, host):
    assert client.get(f"{BASE}/stats", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},  # another program of this machine
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_changes_asked_for_by_other_sites_are_refused(client, headers):
    for method, path in (("POST", f"{BASE}/search"), ("DELETE", f"{BASE}/labels/x"), ("PATCH", f"{BASE}/labels/x")):
        assert "another site" in problem(client.request(method, path, headers=headers, json={}), 403)


def test_other_sites_may_link_here_but_not_load_from_here(client):
    cross = {"sec-fetch-site": "cross-site"}
    assert client.get("/", headers=cross | {"sec-fetch-mode": "navigate"}).status_code == 200
    problem(client.get(f"{BASE}/stats", headers=cross | {"sec-fetch-mode": "no-cors"}), 403)


def test_the_page_itself_may_ask(client):
    headers = {"origin": "http://127.0.0.1:8765", "sec-fetch-site": "same-origin"}
    assert client.post(f"{BASE}/search", headers=headers, json={"words": []}).status_code == 400


def test_nothing_is_allowed_to_other_origins(client):
    headers = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    for answer in (client.options(f"{BASE}/search", headers=headers), client.get(f"{BASE}/stats", headers=headers)):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_carries_the_security_headers(client):
    for path in (
        "/",
        "/static/js/main.js",
        f"{BASE}/stats",
        f"{BASE}/recordings/x",
        "/nowhere",
        "/api/v1/openapi.json",
    ):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in headers["content-security-policy"]


def test_an_error_inside_tells_nothing_of_the_inside(client, monkeypatch, caplog):
    def broken(_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("auricle.serve.shelf.Served.stats", broken)
    answer = client.get(f"{BASE}/stats")
    problem(answer, 500)
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text  # told to whoever runs the server
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studio.local", "::ffff:10.0.0.1"])
def test_without_a_token_there_is_no_server_for_others(indexed, host):
    assert not is_loopback(host)
    with pytest.raises(AuricleError, match="token"):
        create_app({"library": indexed}, host=host)
    with pytest.raises(AuricleError, match="too short"):
        create_app({"library": indexed}, host=host, token="short")


def test_a_token_is_asked_for_everywhere(indexed):
    with asking(indexed, host="0.0.0.0", token=TOKEN) as client:
        paths = ("/api/v1/libraries", f"{BASE}/stats", "/api/v1/openapi.json", "/", "/static/js/main.js", "/nowhere")
        for path in paths:
            answer = client.get(path)
            assert "token" in problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
        for wrong in ("", TOKEN[:-1], TOKEN + "x", "é", "x" * 100_000):
            header = f"Bearer {wrong}".encode()
            problem(client.get(f"{BASE}/stats", headers={b"authorization": header}), 401)
        problem(client.get(f"{BASE}/stats", headers={"authorization": f"Basic {TOKEN}"}), 401)
        right = {"authorization": f"Bearer {TOKEN}"}
        assert client.get(f"{BASE}/stats", headers=right).status_code == 200
        assert client.get(f"{BASE}/stats", headers=right | {"host": "studio.local"}).status_code == 200


def test_browsers_sign_in_once(indexed):
    with asking(indexed, host="0.0.0.0", token=TOKEN) as client:
        sent = client.get("/", headers={"accept": "text/html,*/*"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/login")
        assert "<form" in client.get("/login").text
        problem(client.get("/login", params={"token": "wrong"}), 401)
        problem(client.post("/login", data={"token": "wrong"}), 401)
        signed = client.get("/login", params={"token": TOKEN})
        assert (signed.status_code, signed.headers["location"]) == (303, "/")
        cookie = signed.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert TOKEN.replace(" ", "") not in cookie
        assert client.get(f"{BASE}/stats").status_code == 200  # with the cookie
        client.cookies.clear()
        assert client.post("/login", data={"token": TOKEN}).status_code == 303
        client.cookies.clear()
        client.cookies.set("auricle_8765", "0" * 64)
        problem(client.get(f"{BASE}/stats"), 401)


def test_new_folders_only_from_this_machine_unless_allowed(indexed, tmp_path):
    right = {"authorization": f"Bearer {TOKEN}"}
    with asking(indexed, host="0.0.0.0", token=TOKEN) as client:
        assert "switched off" in problem(client.post(f"{BASE}/index", json={"paths": []}, headers=right), 403)
        assert client.get("/api/v1/libraries", headers=right).json()[0]["writable"] is False


def test_no_page_loads_anything_from_elsewhere(client):
    for path in ("/docs", "/redoc"):
        problem(client.get(path), 404)
