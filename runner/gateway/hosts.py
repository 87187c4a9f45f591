"""Where a key may go: the rules for base URLs, for names at the moment of connection, and for keys.

A base URL comes only from server configuration. It is https unless it names this machine; private,
link-local and reserved addresses are refused unless the operator lists them; spellings that only
the system's resolver would read as an address (decimal, octal, short forms) are refused; redirects
are not followed; and one key goes to one host.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from mitigations.errors import MitigationsError

_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class UnsafeAddress(MitigationsError):
    """A base URL or a resolved address that a key must not be sent to."""


class AddressRefused(OSError):
    """A host name resolved to an address that is not allowed; raised inside the connector."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The operator's exceptions: hosts (names or addresses) that are allowed though private."""

    listed: frozenset[str] = frozenset()

    def check(self, url: str, *, where: str, with_key: bool) -> str:
        """The host of a base URL that may be used; raises `UnsafeAddress` with what to do."""
        parts = _split(url, where)
        host = (parts.hostname or "").rstrip(".")
        address = _literal(host)
        if address is None and not _is_name(host):
            raise UnsafeAddress(f"{where}: {host!r} is no host name; write the address in full")
        listed = host in self.listed
        loopback = is_loopback(host)
        if address is not None and not loopback and not listed and not _is_public(address):
            raise UnsafeAddress(
                f"{where}: {host} is a private or reserved address\n"
                "  list it among the allowed hosts of the server's configuration if it is yours"
            )
        if parts.scheme == "http" and not loopback and not (listed and not with_key):
            raise UnsafeAddress(f"{where}: use https; plain http is for this machine only")
        return host

    def allows(self, host: str, address: str) -> bool:
        """Whether a connection for `host` may go to `address`, as resolved a moment ago."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if host in self.listed:
            return True
        if is_loopback(host):
            return _unmapped(found).is_loopback
        return _is_public(found)


def is_loopback(host: str) -> bool:
    """True for names and addresses of this machine."""
    address = _literal(host)
    if address is None:
        return host.lower() in _LOOPBACK_NAMES
    return _unmapped(address).is_loopback


def _split(url: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise UnsafeAddress(f"{where}: base URL {problem}") from None
    if url != url.strip() or not url.isascii() or any(ord(c) < 33 for c in url) or "\\" in url:
        raise UnsafeAddress(f"{where}: the base URL holds characters no URL has")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UnsafeAddress(f"{where}: a base URL reads https://host[:port]/path")
    if parts.username is not None or parts.password is not None:
        raise UnsafeAddress(f"{where}: no user or password in a base URL; keys come by environment")
    if parts.query or parts.fragment:
        raise UnsafeAddress(f"{where}: a base URL has neither ? nor #")
    return parts


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """A DNS name: its last label is no number, or a resolver would read the whole as an address."""
    last = host.rpartition(".")[2]
    numeric = last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last, re.IGNORECASE) is not None
    return _NAME.fullmatch(host) is not None and not numeric


def _unmapped(address: _Address) -> _Address:
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_public(address: _Address) -> bool:
    inner = _unmapped(address)
    if isinstance(inner, ipaddress.IPv6Address):
        # 6to4, Teredo and NAT64 carry an IPv4 address that the far side would reach for us.
        nat64 = inner in ipaddress.ip_network("64:ff9b::/96")
        if inner.sixtofour or inner.teredo or nat64:
            return False
    return inner.is_global and not inner.is_multicast and not inner.is_unspecified


def guarded_resolver(hosts: Hosts) -> Any:
    """An aiohttp resolver that refuses, at the moment of connection, what `hosts` does not allow.

    Checking the name earlier would leave a gap: the name may resolve differently the second time.
    """
    from aiohttp.abc import AbstractResolver, ResolveResult  # noqa: PLC0415 - import is slow
    from aiohttp.resolver import DefaultResolver  # noqa: PLC0415 - the same

    class GuardedResolver(AbstractResolver):
        def __init__(self) -> None:
            self._inner = DefaultResolver()

        async def resolve(
            self,
            host: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_UNSPEC,
        ) -> list[ResolveResult]:
            found = await self._inner.resolve(host, port, family)
            if not all(hosts.allows(host, entry["host"]) for entry in found):
                raise AddressRefused(f"{host} resolves to an address that is not allowed")
            return found

        async def close(self) -> None:
            await self._inner.close()

    return GuardedResolver()


class KeyBinding:
    """One key, one host: the first host a variable is used for is the only one."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = dict(homes)

    def bind(self, variable: str, host: str, *, where: str) -> None:
        """Record or check; raises `UnsafeAddress` when the key belongs to another host."""
        home = self._homes.setdefault(variable, host)
        if home != host:
            raise UnsafeAddress(
                f"{where}: the key in {variable} belongs to {home}, not to {host}\n"
                "  put this host's key into a variable of its own and name it in key_env"
            )
