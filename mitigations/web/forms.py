"""What a form sent: text fields only, read strictly."""

from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request

from mitigations.web.refusals import FormRefused

MAX_FIELDS = 2000
TYPE = "application/x-www-form-urlencoded"


class Form:
    """Fields by name; a missing field is empty text, as browsers leave out what is not checked."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def one(self, name: str, default: str = "") -> str:
        """The field's text without surrounding space."""
        values = self._fields.get(name)
        return values[-1].strip() if values else default

    def text(self, name: str) -> str:
        """The field's text as typed, with line feeds."""
        values = self._fields.get(name)
        return values[-1].replace("\r\n", "\n").replace("\r", "\n") if values else ""

    def all(self, name: str) -> list[str]:
        """Every value of a field that may be given several times."""
        return [value.strip() for value in self._fields.get(name, ()) if value.strip()]

    def listed(self, name: str) -> list[str]:
        """A field whose text is a list, by commas or lines."""
        parts = self.text(name).replace(",", "\n").splitlines()
        return [part.strip() for part in parts if part.strip()]

    def has(self, name: str) -> bool:
        """Whether a box was checked."""
        return bool(self._fields.get(name))


async def _form(request: Request) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind != TYPE and body:
        raise FormRefused(f"a form is sent as {TYPE}")
    try:
        fields = parse_qs(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as exc:
        raise FormRefused("the form cannot be read: it is no UTF-8 text") from exc
    return Form(fields)


Sent = Annotated[Form, Depends(_form)]
