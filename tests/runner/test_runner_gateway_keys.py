"""Keys: where they may go, and that no byte we keep holds one."""

import asyncio
import base64
import logging
import socket
import traceback
from urllib.parse import quote

import pytest

from mitigations.model import Message, ModelSpec, ReplyStatus, Via
from runner.gateway import RetryPolicy, UnsafeAddress
from runner.gateway.hosts import Hosts, KeyBinding, guarded_resolver, is_loopback
from runner.limits import Timer
from tests.fake_provider import Answer, FakeProvider, Fault, anthropic_body, openai_body
from tests.runner.gateway_help import ENVIRON, KEY, ask, gateway, spec_for

ONCE = RetryPolicy(attempts=1, request_timeout_s=2.0)

REFUSED = (
    # metadata services, private and reserved addresses
    "https://169.254.169.254/latest",
    "http://169.254.169.254/v1",
    "https://10.0.0.1/v1",
    "https://172.16.3.4/v1",
    "https://192.168.1.10/v1",
    "https://100.64.0.1/v1",
    "https://0.0.0.0/v1",
    "https://255.255.255.255/v1",
    "https://224.0.0.1/v1",
    "https://198.18.0.1/v1",
    "https://[::]/v1",
    "https://[fe80::1]/v1",
    "https://[fd00::1]/v1",
    "https://[::ffff:10.0.0.1]/v1",
    "https://[::ffff:169.254.169.254]/v1",
    "https://[64:ff9b::a9fe:a9fe]/v1",
    "https://[2002:a9fe:a9fe::]/v1",
    "https://[2001:0:a9fe:a9fe::1]/v1",
    "https://[ff02::1]/v1",
    # spellings that only a resolver reads as an address
    "https://2852039166/v1",
    "https://0xa9fea9fe/v1",
    "https://0xa9.0xfe.0xa9.0xfe/v1",
    "https://0251.0376.0251.0376/v1",
    "https://169.254.43518/v1",
    "https://127.1/v1",
    "http://2130706433/v1",
    "http://0x7f000001/v1",
    # no TLS
    "http://api.openai.com/v1",
    "http://example.com/v1",
    "http://localhost.example.com/v1",
    # other schemes and hidden parts
    "ftp://api.openai.com/v1",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "gopher://127.0.0.1:70/",
    "https://api.openai.com@evil.example/v1",
    "https://user:password@example.com/v1",
    "https://example.com/v1?x=http://127.0.0.1",
    "https://example.com/v1#@127.0.0.1",
    "https://example.com\\@127.0.0.1/v1",
    "https://exam ple.com/v1",
    "https://example.com:0/v1",
    "https://example.com:99999/v1",
    "https:///v1",
    "//example.com/v1",
    "https://ⓔxample.com/v1",
    "https://-bad-.example/v1",
    " https://example.com/v1",
    "https://example.com/v1\r\nX-Injected: 1",
    "",
)
ALLOWED = (
    "https://api.openai.com/v1",
    "https://vllm.example.org:8443/v1",
    "http://127.0.0.1:8080/v1",
    "http://localhost:11434/v1",
    "http://[::1]:8080/v1",
    "https://8.8.8.8/v1",
)


@pytest.fixture
def reached(monkeypatch):
    """Every host that is looked up and every address that a socket connects to; none is reached."""
    places = []

    def refuse(*place, **_named):
        places.append(place)
        raise ConnectionRefusedError(place)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    return places


@pytest.mark.parametrize("url", REFUSED)
def test_a_base_url_that_could_leak_a_key_is_refused_before_any_connection(url, reached):
    door = gateway()
    spec = ModelSpec(route="openai/m", base_url=url, key_env="FAKE_KEY")
    with pytest.raises(UnsafeAddress) as refused:
        door.check([spec])
    assert KEY not in str(refused.value)
    with pytest.raises(UnsafeAddress):
        asyncio.run(door.complete(ask(spec)))
    assert reached == []


def test_a_connection_or_a_look_up_would_have_been_seen(reached):
    """The count above can fail: an address and a name that are allowed do reach the sockets."""

    async def run():
        door = gateway(policy=ONCE)
        for host in ("8.8.8.8", "vllm.example"):
            spec = ModelSpec(route=f"openai/{host}", base_url=f"https://{host}/v1")
            await door.complete(ask(spec))
        await door.close()

    asyncio.run(run())
    assert "8.8.8.8" in repr(reached)
    assert "vllm.example" in repr(reached)


@pytest.mark.parametrize("url", ALLOWED)
def test_an_ordinary_base_url_is_allowed(url):
    gateway().check([ModelSpec(route="openai/m", base_url=url, key_env="FAKE_KEY")])


def test_a_private_host_is_allowed_when_the_operator_lists_it():
    spec = ModelSpec(route="openai/m", base_url="https://10.0.0.7/v1", key_env="FAKE_KEY")
    gateway(allowed_hosts=["10.0.0.7"]).check([spec])
    plain = ModelSpec(route="openai/m", base_url="http://10.0.0.7/v1")
    gateway(allowed_hosts=["10.0.0.7"]).check([plain])
    with pytest.raises(UnsafeAddress, match="https"):
        gateway(allowed_hosts=["10.0.0.7"]).check(
            [ModelSpec(route="openai/m", base_url="http://10.0.0.7/v1", key_env="FAKE_KEY")]
        )


def test_a_name_that_resolves_to_a_private_address_is_refused_at_the_connection():
    """The name is public by its looks; what counts is where the connection would go."""

    async def resolve(host, answers):
        resolver = guarded_resolver(Hosts())

        class Fixed:
            async def resolve(self, *_):
                return [{"host": address} for address in answers]

            async def close(self):
                pass

        await resolver.close()
        resolver._inner = Fixed()
        return await resolver.resolve(host)

    for answers in (["127.0.0.1"], ["10.1.2.3"], ["8.8.8.8", "169.254.169.254"], ["::1"]):
        with pytest.raises(OSError, match="not allowed"):
            asyncio.run(resolve("rebind.example", answers))
    assert asyncio.run(resolve("dns.example", ["8.8.8.8"]))
    assert asyncio.run(resolve("localhost", ["127.0.0.1"]))
    with pytest.raises(OSError, match="not allowed"):
        asyncio.run(resolve("localhost", ["8.8.8.8"]))


def test_a_refused_resolution_ends_the_call_and_is_never_retried(monkeypatch):
    """A name that resolves to this machine: 0 connections, 0 keys sent."""

    async def run():
        async with FakeProvider() as fake:
            import aiohttp.resolver

            async def to_loopback(_self, host, port=0, _family=0):
                return [{
                    "hostname": host, "host": "127.0.0.1", "port": port,
                    "family": 2, "proto": 0, "flags": 0,
                }]  # fmt: skip

            monkeypatch.setattr(aiohttp.resolver.DefaultResolver, "resolve", to_loopback)
            url = f"https://rebind.example:{fake.port}/v1"
            door = gateway()
            spec = ModelSpec(route="openai/m", base_url=url, key_env="FAKE_KEY")
            reply = await door.complete(ask(spec))
            await door.close()
            return reply, fake.count

    reply, count = asyncio.run(run())
    assert reply.detail.startswith("address-refused: "), reply
    assert (reply.attempts, count) == (1, 0)


@pytest.mark.parametrize("route", ["openai/m", "anthropic/m"])
def test_a_redirect_is_not_followed(route):
    async def run():
        async with FakeProvider() as target:
            away = {"location": f"http://127.0.0.1:{target.port}/v1/chat/completions"}
            script = lambda *_: Answer(status=307, body=b"", headers=away)  # noqa: E731
            async with FakeProvider(script=script) as fake:
                door = gateway()
                reply = await door.complete(ask(spec_for(fake, route)))
                await door.close()
                return reply, fake.count, target.count

    reply, count, reached = asyncio.run(run())
    assert reply.detail.startswith("address-refused: ")
    assert (count, reached) == (1, 0)


def test_one_key_goes_to_one_host():
    door = gateway(environ={**ENVIRON, "OPENAI_API_KEY": KEY})
    door.check([ModelSpec(route="openai/a", base_url="https://a.example/v1", key_env="FAKE_KEY")])
    door.check([ModelSpec(route="openai/b", base_url="https://a.example/v1", key_env="FAKE_KEY")])
    other = ModelSpec(route="openai/c", base_url="https://b.example/v1", key_env="FAKE_KEY")
    with pytest.raises(UnsafeAddress, match=r"belongs to a\.example, not to b\.example"):
        door.check([other])
    stolen = ModelSpec(route="openai/d", base_url="https://evil.example", key_env="OPENAI_API_KEY")
    with pytest.raises(UnsafeAddress, match=r"belongs to api\.openai\.com"):
        door.check([stolen])


def test_a_key_is_bound_to_the_first_host_only():
    bound = KeyBinding({})
    bound.bind("K", "a", where="x")
    bound.bind("K", "a", where="x")
    with pytest.raises(UnsafeAddress):
        bound.bind("K", "b", where="x")


@pytest.mark.parametrize("route", ["openai/m", "anthropic/m"])
def test_what_the_sdks_find_in_the_environment_does_not_leave(route, monkeypatch):
    """Both SDKs read keys, tokens and base URLs of their own accord."""
    stray = "sk-stray-canary-99887766554433"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, stray)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def run(key_env):
        async with FakeProvider() as fake:
            door = gateway()
            reply = await door.complete(ask(spec_for(fake, route, key_env=key_env)))
            await door.close()
            return reply, fake.requests[0].headers

    for key_env in ("FAKE_KEY", None):
        reply, headers = asyncio.run(run(key_env))
        assert reply.status is ReplyStatus.ANSWERED, reply
        assert stray not in repr(headers)
        assert (KEY in repr(headers)) is (key_env is not None)


def test_loopback_is_told_from_names_that_look_like_it():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "LOCALHOST")))
    assert not any(map(is_loopback, ("localhost.example", "10.0.0.1", "127.0.0.1.example", "")))


# --- canaries

CANARIES = {
    "env": "canary-env-7Hq2-000001",
    "header": "canary-header-7Hq2-000002",
    "echo": "canary-echo-7Hq2-000003",
    "exception": "canary-exception-7Hq2-000004",
    "reply": "canary-reply-7Hq2-000005",
    "traceback": "canary-traceback-7Hq2-000006",
    "url": "canary-url-7Hq2+/000007",
    "prompt": "canary-prompt-7Hq2-000008",
}
"""Shaped like nothing in particular: only knowing the value can mask it."""


@pytest.mark.parametrize("route", ["openai/m", "anthropic/m"])
def test_none_of_eight_planted_keys_is_in_any_byte_we_keep(route, caplog):
    """Keys in the environment come back from the server in every place it can put them."""
    caplog.set_level(logging.DEBUG)
    assert_no_planted_key_is_kept(route, Via.AUTO, caplog)


def assert_no_planted_key_is_kept(route, via, caplog):
    """Twelve calls to a server that spills every key; grep replies, attempts, reasons and logs."""
    environ = {f"{name.upper()}_API_KEY": value for name, value in CANARIES.items()}
    everything = " ".join(CANARIES.values())
    encoded = " ".join(
        [quote(CANARIES["url"], safe=""), base64.b64encode(CANARIES["env"].encode()).decode()]
    )
    spill = f"{everything} {encoded}"

    def script(seen, number):
        if number == 1:
            return Answer(status=400, body={"error": {"message": spill, "code": spill}})
        if number == 2:
            return Answer(body=spill.encode(), headers={"content-type": CANARIES["header"]})
        if not seen.is_openai:
            blocks = ({"type": "thinking", "thinking": spill, "signature": "s"},)
            body = anthropic_body(
                spill, model=spill, calls=((spill, {spill: spill}),), blocks=blocks
            )
            return {**body, "stop_reason": spill} if number == 3 else body
        calls = (("mail", f'{{"{everything}": "{encoded}"}}'),)
        body = openai_body(spill, model=spill, calls=calls, reasoning_content=spill)
        body["system_fingerprint"] = spill
        if number == 3:
            body["choices"][0]["finish_reason"] = spill
        return body

    kept = []

    async def run():
        async with FakeProvider(script=script, faults={Fault.KEY_ECHO: 0.3}, seed=5) as fake:
            door = gateway(environ=environ, on_attempt=kept.append, policy=ONCE, timer=Timer())
            spec = spec_for(fake, route, via=via, key_env="HEADER_API_KEY")
            turn = Message(role="user", content=CANARIES["prompt"])
            for number in range(12):
                request = ask(spec, messages=(turn,), system=str(number))
                kept.append(await door.complete(request))
            kept.append(door.blocked)
            bad = ModelSpec(
                route="openai/x",
                base_url=f"http://{CANARIES['exception']}.example/v1",
                key_env="ENV_API_KEY",
            )
            try:
                door.check([bad])
            except UnsafeAddress:
                # A traceback shows source lines, not values; ours must not add them.
                kept.append(
                    traceback.format_exc().replace(CANARIES["exception"], "(the URL's own)")
                )
            await door.close()
            return fake

    fake = asyncio.run(run())
    assert CANARIES["header"] in repr(fake.requests[0].headers), "the key did travel"
    text = "\n".join(map(repr, kept)) + caplog.text
    found = [name for name, value in CANARIES.items() if value in text]
    found += [part for part in encoded.split() if part in text]
    assert found == []
    assert text.count("[redacted]") > 20
    statuses = {reply.status for reply in kept if hasattr(reply, "text")}
    assert {ReplyStatus.ANSWERED, ReplyStatus.ERROR, ReplyStatus.MALFORMED} <= statuses
