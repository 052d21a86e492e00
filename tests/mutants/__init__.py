"""Planted bugs: changes of the real code, each of which the tests have to catch."""
