"""Helpers behind the course: data, labels, blocks, learning rules, training, read-outs, records, plots."""

__version__ = "0.1.0"
