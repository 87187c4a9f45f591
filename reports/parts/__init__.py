"""The eleven parts of a report, in the order in which a reader needs them; a twelfth on request."""

from reports.parts.document import comparison_document, document
from reports.parts.summary import summary_document

__all__ = ["comparison_document", "document", "summary_document"]
