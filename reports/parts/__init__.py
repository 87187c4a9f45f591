"""The eleven parts of a report, in the order in which a reader needs them."""

from reports.parts.document import document

__all__ = ["document"]
