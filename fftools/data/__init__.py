"""Real data as tensors that live on the device: images, your own included, and `fftools.data.tables`."""

from fftools.data.load import NAMES, TABLES, load, pick_device
from fftools.data.pictures import STATISTICS
from fftools.data.split import DataError, Dataset, Split, folder, random_shift
from fftools.inputs import to_float

__all__ = ["NAMES", "STATISTICS", "TABLES", "DataError", "Dataset", "Split", "folder", "load", "pick_device",
           "random_shift", "to_float"]  # fmt: skip
