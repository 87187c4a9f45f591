"""Refusals that pages and the API share."""

from mitigations.errors import MitigationsError


class AlreadyLocked(MitigationsError):
    """The study has a lock."""


class NotLive(MitigationsError):
    """There is no such run going on."""


class NameTaken(MitigationsError):
    """The name belongs to a file that exists."""


class Unnamed(MitigationsError):
    """A deed needs a name, and nobody is signed in who has one."""


class NotADraft(MitigationsError):
    """A text that may not change any more."""


class TextMoved(MitigationsError):
    """The text is another one than the reader saw."""


class FormRefused(MitigationsError):
    """A form that no page of ours sends."""
