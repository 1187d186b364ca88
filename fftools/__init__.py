"""What the course is made of: data, labels, blocks, learning rules, the loop that trains them, read-outs, plots."""

__version__ = "0.1.0"
