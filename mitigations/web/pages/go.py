"""After a form: always on to a page of our own."""

from urllib.parse import quote, urlencode

from fastapi.responses import RedirectResponse


def to(*parts: str, **query: str) -> RedirectResponse:
    """See the local page made of these parts; each is escaped, so none can leave this site."""
    path = "/" + "/".join(quote(part, safe="") for part in parts if part)
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)
