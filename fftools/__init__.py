"""Helpers behind the course: data, labels, blocks, learning rules, training, read-outs, records, plots."""

from importlib import import_module

__version__ = "0.1.0"


def load_checkpoint(name: str):
    """A trained network from the shelf: see `fftools.shelf.load`, which is imported only when it is asked for."""
    return import_module("fftools.shelf").load(name)
