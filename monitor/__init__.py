"""Listens to a region's official channels and feeds, and tells whom it concerns."""

__version__ = "0.1.0"
