"""Who may do what: every route, every role, and the doors before them."""

import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from mitigations.cli.session import now
from mitigations.errors import InvalidFile
from mitigations.web.access import COOKIE, Access
from mitigations.web.app import PUBLIC
from mitigations.web.guard import MAX_BODY, Hosts
from mitigations.web.server import CannotServe, Settings
from mitigations.web.tokens import Role, TokenRefused, digest, match, new_token, read_tokens, revoke
from tests.web.conftest import BASE, SECRET, Guarded, client_of

SAMPLE = {"name": "first", "stamp": "x", "view": "x"}


def routes(app: object) -> Iterator[tuple[str, str, APIRoute]]:
    """Every operation of the application: method, a path with names filled in, the route."""
    assert isinstance(app, FastAPI)
    for route in flat(app.routes):
        for method in sorted(route.methods):
            yield method, re.sub(r"{(\w+)}", lambda m: SAMPLE[m[1]], route.path), route


def flat(found: Iterable[object]) -> Iterator[APIRoute]:
    """The routes of the application and of every router in it; nothing else may be among them."""
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from flat(inner.routes)
        else:
            assert isinstance(route, APIRoute), f"{route} is no route of ours"
            yield route


def role_of(route: APIRoute) -> Role | None:
    """The role a route's own dependency asks for."""
    roles = [getattr(one.call, "role", None) for one in route.dependant.dependencies]
    return next((role for role in roles if role is not None), None)


def test_every_route_but_the_way_in_names_a_role(client: TestClient) -> None:
    bare = {route.path for _, _, route in routes(client.app) if role_of(route) is None}
    assert bare == {"/login", "/logout", "/static/{stamp}/{name}", "/openapi.json"}
    assert {"/openapi.json"} == bare - PUBLIC


def test_no_write_route_is_reachable_without_a_token(guarded: Guarded) -> None:
    client = guarded.client(None)
    tried = 0
    for method, path, route in routes(client.app):
        if method in {"GET", "HEAD"} or route.path in PUBLIC:
            continue
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            answer = client.request(method, path, content="", headers={"content-type": kind})
            assert answer.status_code == 401, (method, path)
            tried += 1
    assert tried >= 40


def test_no_read_route_is_reachable_without_a_token(guarded: Guarded) -> None:
    client = guarded.client(None)
    for method, path, route in routes(client.app):
        if method == "GET" and route.path not in PUBLIC:
            assert client.get(path).status_code == 401, path
    for path in ("/login", "/static/x/style.css"):
        assert client.get(path).status_code == 200


def test_each_role_reaches_exactly_what_names_it(guarded: Guarded) -> None:
    """A role includes reading and no other role: read and approve are separate tokens."""
    for role in Role:
        client = guarded.client(role)
        for method, path, route in routes(client.app):
            needed = role_of(route)
            if needed is None or "/api/owner" in route.path:
                continue
            answer = client.request(method, path)
            if needed in {role, Role.READ}:
                assert answer.status_code not in {401, 403}, (role, method, path)
            else:
                assert answer.status_code == 403, (role, method, path)


def test_the_routes_of_the_local_command_open_to_its_secret_alone(guarded: Guarded) -> None:
    secret = client_of(guarded.services, authorization=f"Bearer {SECRET}")
    assert secret.get("/api/owner").json()["database"] == str(guarded.services.db.resolve())
    for role in (None, *Role):
        client = guarded.client(role)
        for method, path, route in routes(client.app):
            if route.path.startswith("/api/owner"):
                assert client.request(method, path).status_code in {401, 403}, (role, path)


def test_a_wrong_token_is_nobody_even_where_none_is_needed(client: TestClient) -> None:
    assert client.get("/").status_code == 200
    for value in ("Bearer wrong", "Bearer ", "Basic eA==", SECRET):
        assert client.get("/", headers={"authorization": value}).status_code == 401


# ---- tokens


def test_tokens_are_kept_as_hashes_in_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    secret = new_token(file, "ana", [Role.APPROVE], at=now())
    assert secret not in file.read_text()
    assert digest(secret) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (token,) = read_tokens(file)
    assert token.roles == (Role.READ, Role.APPROVE)
    assert match(read_tokens(file), secret) == token
    assert match(read_tokens(file), secret + "x") is None


def test_a_revoked_token_ends_at_once_with_its_sessions(guarded: Guarded) -> None:
    client = guarded.client("read")
    assert client.get("/").status_code == 200
    browser = client_of(guarded.services)
    signed = browser.post("/login", data={"token": guarded.tokens["read"], "wanted": "/variants"})
    assert (signed.status_code, signed.headers["location"]) == (303, "/variants")
    assert browser.get("/").status_code == 200
    revoke(guarded.file, "read person", at=now())
    assert client.get("/").status_code == 401
    assert browser.get("/").status_code == 401
    assert guarded.client("run").get("/").status_code == 200


def test_a_name_has_one_live_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    new_token(file, "ana", [Role.READ], at=now())
    with pytest.raises(TokenRefused, match="already"):
        new_token(file, "ana", [Role.RUN], at=now())
    revoke(file, "ana", at=now())
    new_token(file, "ana", [Role.RUN], at=now())
    assert [token.revoked is None for token in read_tokens(file)] == [False, True]


def test_a_token_file_that_is_gone_or_open_to_others_lets_nobody_in(guarded: Guarded) -> None:
    client = guarded.client("run")
    assert client.get("/").status_code == 200
    guarded.file.chmod(0o622)
    with pytest.raises(InvalidFile, match="written by others"):
        read_tokens(guarded.file)
    guarded.file.unlink()
    assert client.get("/").status_code == 401


# ---- sessions


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(guarded: Guarded) -> None:
    client = guarded.client(None)
    answer = client.post("/login", data={"token": guarded.tokens["run"], "wanted": "/"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert guarded.tokens["run"] not in cookie
    assert client.get("/").status_code == 200
    client.post("/logout")
    assert client.get("/").status_code == 401


def test_a_session_ends_by_itself(guarded: Guarded) -> None:
    clock = [0.0]
    access = Access(token_file=guarded.file, secret=SECRET, clock=lambda: clock[0])
    signed = access.sign_in(guarded.tokens["read"])
    assert signed is not None
    assert access.by_session(signed[1]) is not None
    clock[0] = 13 * 3600.0
    assert access.by_session(signed[1]) is None


WANTEDS = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/%2f%2fevil.example",
    "javascript:alert(1)",
    "/a/../../x",
    "/a?next=//evil.example",
    "/x\r\nset-cookie: a=b",
    "",
]


def test_signing_in_leads_to_our_own_pages_only(guarded: Guarded) -> None:
    client = guarded.client(None)
    for wanted in WANTEDS:
        answer = client.post("/login", data={"token": guarded.tokens["read"], "wanted": wanted})
        assert answer.headers["location"] == "/", wanted


# ---- hosts, origins, bodies


HOSTS = [
    "evil.example",
    "evil.example:8765",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8765",
    "127.0.0.1@evil.example",
    "0.0.0.0:8765",
    "[::ffff:7f00:1]:8765",
    "2130706433",
    "",
]


def test_a_rebound_host_name_is_refused(client: TestClient) -> None:
    for host in HOSTS:
        for path in ("/", "/api/runs", "/static/x/style.css", "/login"):
            assert client.get(path, headers={"host": host}).status_code == 421, (host, path)


def test_every_name_of_the_loopback_is_ours() -> None:
    hosts = Hosts.of(["127.0.0.1", "localhost", "::1", "box.example"])
    for host in ("127.0.0.1:1", "LOCALHOST", "[::1]:8765", "[::1]", "box.example"):
        assert hosts.has(host), host


ORIGINS = [
    None,
    "null",
    "http://evil.example",
    "http://127.0.0.1.evil.example:8765",
    "http://127.0.0.1:9999",
    "http://localhost:8765",
    "https://evil.example/http://127.0.0.1:8765",
    "file://",
    "http://[::1",
]


def test_a_change_from_another_origin_is_refused(client: TestClient) -> None:
    del client.headers["origin"]
    for origin in ORIGINS:
        headers = {} if origin is None else {"origin": origin}
        for path in ("/studies/first/lock", "/api/studies/first/lock", "/login"):
            assert client.post(path, headers=headers).status_code == 403, (origin, path)
    assert not (client.app.state.services.root / "studies" / "first.lock").exists()


def test_a_program_with_a_token_needs_no_origin(guarded: Guarded) -> None:
    client = guarded.client("propose")
    del client.headers["origin"]
    assert client.post("/api/studies/first/lock", json={}).status_code == 200


def test_a_signed_in_browser_still_needs_our_origin(guarded: Guarded) -> None:
    client = guarded.client(None)
    client.post("/login", data={"token": guarded.tokens["propose"], "wanted": "/"})
    evil = {"origin": "http://evil.example"}
    assert client.post("/studies/first/lock", headers=evil).status_code == 403
    assert client.post("/studies/first/lock").status_code == 303


def test_a_body_over_one_megabyte_is_refused_however_it_is_sent(client: TestClient) -> None:
    big = b"x" * (MAX_BODY + 1)
    assert client.post("/variants/new", content=big).status_code == 413
    chunks = (big[i : i + 65536] for i in range(0, len(big), 65536))
    assert client.post("/api/variants", content=chunks).status_code == 413
    assert client.post("/api/variants", content=b"x" * MAX_BODY).status_code == 422


def test_every_answer_carries_the_headers(client: TestClient) -> None:
    for path in ("/", "/nope", "/api/runs", "/static/x/live.js", "/login", "/openapi.json"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        for part in (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ):
            assert part in policy, path
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_no_page_holds_a_script_a_style_or_a_handler_of_its_own(client: TestClient) -> None:
    for path in ("/", "/variants", "/variants/new", "/studies/new", "/health", "/docs", "/login"):
        text = client.get(path).text
        assert re.findall(r"<script(?![^>]* src=\"/static/)", text) == [], path
        assert re.findall(r"\son\w+=|\sstyle=|<style|javascript:", text) == [], path
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', text), path


def test_an_address_others_can_reach_needs_a_token_file(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "box.example"):
        with pytest.raises(CannotServe, match="--token-file"):
            Settings(host=host).check()
        Settings(host=host, token_file=tmp_path / "t").check()
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        Settings(host=host).check()


def test_what_is_done_is_written_down_with_who_did_it(guarded: Guarded) -> None:
    guarded.client("propose").post("/api/studies/first/lock", json={})
    guarded.client("run").post("/api/studies/first/run", json={})
    deeds = guarded.client("read").get("/api/audit").json()
    assert [(deed["who"], deed["what"], deed["on"]) for deed in deeds[:2]] == [
        ("run person", "run", deeds[0]["on"]),
        ("propose person", "lock a study", "first"),
    ]
    assert deeds[0]["on"].startswith("first-")
    assert BASE not in str(deeds)
    log = guarded.services.db.parent / "audit.jsonl"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    for token in guarded.tokens.values():
        assert token not in log.read_text()
