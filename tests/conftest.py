"""What all tests share: small real and made-up data, a network that is switched off, folders of their own."""

import os
import socket
import sys
from pathlib import Path

import pytest
import torch

from evidence.build import forward_forward
from fftools import data
from fftools.blocks import mlp
from fftools.data import Dataset, Split
from fftools.labels import Pixels
from fftools.rules.forward_forward import ForwardForward

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

# Networks this small gain nothing from a second thread, and lose much on a busy machine.
torch.set_num_threads(1)

# Of files that are tested side by side, each chapter's kernel has its share of the cores: two that each want
# them all are slower than one after the other.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))


def pytest_collection_modifyitems(items):
    """Chapters: compare what cells print and show, not stderr, where progress bars and the data banner go."""
    for item in items:
        if hasattr(item.parent, "skip_compare") and "stderr" not in item.parent.skip_compare:
            item.parent.skip_compare += ("stderr",)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No test may leave this machine: names do not resolve, and connections to elsewhere are refused."""
    home, connect, lookup = (
        (None, "", "127.0.0.1", "::1", "localhost"),
        socket.socket.connect,
        socket.getaddrinfo,
    )

    def only_home(self, address):
        if isinstance(address, tuple) and address[0] not in home:
            raise OSError(f"tests have no network (asked for {address[0]})")
        return connect(self, address)

    def resolve(host, *arguments, **options):
        if host not in home:
            raise socket.gaierror(f"tests have no network (asked for {host})")
        return lookup(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", only_home)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture(autouse=True)
def own_results(monkeypatch, tmp_path):
    """Records of tests go to a folder of their own, and training bars stay out of the report."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path / "results"))
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """scikit-learn's digits on the CPU: real images, no network."""
    return data.load("digits", "cpu")


@pytest.fixture
def noise() -> Split:
    """64 made-up images `(1, 8, 8)` of four classes; class c is bright in row c + 1."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(4, (64,), generator=generator)
    images = torch.randint(120, (64, 1, 8, 8), generator=generator)
    images[torch.arange(64), 0, labels + 1] += 130
    return Split(images.to(torch.uint8), labels)


@pytest.fixture
def small():
    """A maker of small networks for `noise`: the same seed gives the same weights."""

    def make(seed: int = 0, widths=(64, 24, 16), **options) -> ForwardForward:
        torch.manual_seed(seed)
        return forward_forward(mlp(widths), Pixels(4), **options)

    return make


@pytest.fixture(scope="module")
def running():
    """The browser."""
    import browser as chrome  # here, since most tests need neither it nor Playwright

    try:
        chrome.find()
    except chrome.NoBrowser as error:
        pytest.fail(str(error))
    with chrome.browser() as browser:
        yield browser
