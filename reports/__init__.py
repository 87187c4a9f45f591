"""Assembles a report (data only) and renders it."""
