"""Telling people: a webhook, and whatever apprise reaches. Addresses come from the environment."""

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from mitigations.errors import MitigationsError
from mitigations.schedules.notices import Notice, Notices

WEBHOOK = "MITIGATIONS_WEBHOOK"
"""One URL that takes `{"text": ...}` as Slack's incoming webhooks do."""
OTHERS = "MITIGATIONS_NOTIFY"
"""Addresses as apprise spells them, with spaces between: mailto://..., msteams://..."""
PUBLIC_URL = "MITIGATIONS_URL"
"""Where readers reach the service: links in notices begin with it."""
TIMEOUT_S = 10.0

Send = Callable[[str], None]
"""Tells one text to one target; raises `NotTaken`."""


class NotTaken(MitigationsError):
    """A target did not take a notice. Says why without its address."""

    exit_code = 1


def targets(environment: Mapping[str, str]) -> dict[str, Send]:
    """Every target by a name that gives nothing away."""
    found: dict[str, Send] = {}
    if url := environment.get(WEBHOOK, "").strip():
        found["webhook"] = lambda text: _post(url, text)
    for number, address in enumerate(environment.get(OTHERS, "").split(), 1):
        found[f"other {number}"] = lambda text, address=address: _by_apprise(address, text)  # type: ignore[misc]
    return found


def tell(
    book: Notices, sends: Mapping[str, Send], *, base: str, now: Callable[[], datetime]
) -> int:
    """Make every attempt that is due; how many failed. Never raises for a target's sake."""
    failed = 0
    for notice, name in book.waiting(list(sends), now=now()):
        reason = ""
        try:
            sends[name](_words(notice, base))
        except NotTaken as exc:
            reason = str(exc)
        except Exception as exc:  # noqa: BLE001 - somebody else's library; its words may hold the address
            reason = type(exc).__name__
        failed += bool(reason)
        book.tried(notice, name, reason=reason, at=now())
    return failed


def _words(notice: Notice, base: str) -> str:
    link = f"{base.rstrip('/')}{notice.path}" if base else f"see {notice.path}"
    return f"{notice.text}\n{link}"


def _post(url: str, text: str) -> None:
    problem = _unfit(url)
    if problem:
        raise NotTaken(problem)
    asyncio.run(_posted(url, text))


def _unfit(url: str) -> str:
    """Why an address is no place to send to; empty where it is one."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return f"{WEBHOOK} is no URL"
    if not host:
        return f"{WEBHOOK} is no URL"
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        return f"{WEBHOOK} must begin with https://"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _posted(url: str, text: str) -> None:
    import aiohttp  # noqa: PLC0415 - only where something is told

    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(url, json={"text": safe}, allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError as exc:
        raise NotTaken(f"no answer within {TIMEOUT_S:g} s") from exc
    except aiohttp.ClientConnectorError as exc:
        raise NotTaken("no connection") from exc
    except (aiohttp.ClientError, ValueError) as exc:
        raise NotTaken(f"broken off: {type(exc).__name__}") from exc
    if not 200 <= status < 300:
        raise NotTaken(f"HTTP {status}")


def _by_apprise(address: str, text: str) -> None:
    try:
        import apprise  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise NotTaken("apprise is not installed: pip install 'mitigations[notify]'") from exc
    # It writes whole addresses into its log, and an address holds a password.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    teller = apprise.Apprise()
    if not teller.add(address):
        raise NotTaken(f"{OTHERS} holds an address that apprise does not know")
    if not teller.notify(body=text, title="mitigations", body_format=apprise.NotifyFormat.TEXT):
        raise NotTaken("apprise could not deliver it")


def failures(book: Notices, most: int) -> Iterator[tuple[str, str, str]]:
    """(when, what, how telling went) of the latest notices, for people."""
    for notice, tries in book.latest(most):
        went = [
            f"{name}: {one.state}" + (f" ({one.reason}, attempt {one.count})" if one.reason else "")
            for name, one in tries.items()
        ]
        yield notice.at.strftime("%Y-%m-%d %H:%M"), notice.text, "; ".join(went) or "nobody to tell"
