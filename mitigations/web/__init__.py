"""The service: pages, API and the one process that owns the database. A composition root."""
