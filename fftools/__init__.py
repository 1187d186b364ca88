"""What the course is made of: data, labels, blocks, learning rules, their training loop, read-outs, plots."""

__version__ = "0.1.0"
