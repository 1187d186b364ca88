"""Files are written whole or not at all; a full disk, Ctrl-C and a poor console are met with a sentence."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from evidence import networks, records
from evidence.run import run
from evidence.studies import change
from evidence.studies.ff_cnn import BP_CNN, FF_CNN
from evidence.studies.mlp import FF
from fftools import data, files
from fftools.fit import fit
from fftools.resume import load_state, save_state

ROOT = Path(__file__).resolve().parents[1]
TINY = dict(
    dataset="digits", widths=[784, 30, 30], epochs=3, batch_size=50, readout_epochs=0, train_images=200
)


@pytest.fixture
def full_disk():
    """A maker of disks on which no file grows beyond so many bytes: what was begun is cut short, as on a full
    one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def left(folder):
    return [path.name for path in folder.rglob("*") if "part" in path.name]


@pytest.mark.parametrize(
    "write, read",
    [
        (lambda path, x: files.write(path, x * 1_000), lambda path: path.read_text()),
        (lambda path, x: files.write(path, x.encode() * 1_000), lambda path: path.read_bytes().decode()),
        (
            lambda path, x: files.write_state(path, {"x": x * 1_000}),
            lambda path: torch.load(path, weights_only=True)["x"],
        ),
        (
            lambda path, x: records.write_json(path, {"x": x * 1_000}),
            lambda path: json.loads(path.read_text())["x"],
        ),
        (lambda path, x: save_state(path, {}, x=x * 1_000), lambda path: load_state(path, {})["x"]),
    ],
    ids=["text", "bytes", "state", "record", "resume"],
)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, full_disk, write, read):
    path = tmp_path / "a" / "file"
    write(path, "a")
    full_disk(500)
    with pytest.raises(OSError, match="File too large.*a/file'"):
        write(path, "b")
    assert read(path) == "a" * 1_000 and not left(tmp_path)
    full_disk(1_000_000)
    write(path, "c")
    assert read(path) == "c" * 1_000


def test_no_space_is_named_with_the_file(tmp_path, monkeypatch):
    def no_space(self, content):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(OSError, match=r"No space left on device: '.*/record\.json'") as error:
        files.write(tmp_path / "record.json", "{}")
    assert error.value.errno == errno.ENOSPC and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=f"{folder}/record.json"):
        files.write(tmp_path / folder / "record.json", "{}")


def test_several_files_come_together_or_not_at_all(tmp_path, full_disk):
    one, two = tmp_path / "one", tmp_path / "two"
    files.write_all({one: b"1", two: b"2"})
    full_disk(100)
    with pytest.raises(OSError, match="two"):
        files.write_all({one: b"3", two: b"4" * 200})
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2") and not left(tmp_path)


def test_a_run_goes_on_when_there_is_room_again(digits, monkeypatch, full_disk, tmp_path):
    """Bit for bit as if the disk had never been full, whichever file found no room."""
    monkeypatch.setattr(data, "load", lambda *_, **__: digits)
    config = FF | TINY
    plain = run("plain", config, 0, "quick", progress=False)
    records.path_of("plain", config, 0).unlink()
    for size in (100, 100_000):
        full_disk(size)
        with pytest.raises(OSError, match="File too large"):
            run("full", config, 0, "quick", progress=False)
        assert not records.load("full") and not left(tmp_path)
    full_disk(100_000_000)
    again = run("full", config, 0, "quick", progress=False)
    assert again["metrics"] == plain["metrics"] and again["history"]["loss"] == plain["history"]["loss"]


def test_training_that_found_no_room_goes_on_from_what_was_saved(tmp_path, noise, small, monkeypatch):
    path, options = tmp_path / "state", dict(batch_size=16, lr=1e-3, precision="float32", resume_seconds=0)
    whole = small()
    fit(whole, noise, epochs=4, **options)
    write, calls = Path.write_bytes, []

    def third_fails(self, content):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Path, "write_bytes", third_fails)
        fit(small(), noise, epochs=4, resume=path, **options)
    resumed = small(seed=1)
    fit(resumed, noise, epochs=4, resume=path, **options)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values()))


# --- networks that lie otherwise in memory
# -------------------------------------------------------------------

SMALL = dict(
    dataset="digits",
    blocks=dict(widths=[3, 3, 3]),
    epochs=1,
    batch_size=50,
    train_images=200,
    readout_epochs=1,
    validate_every=None,
)


def channels_last(state):
    return {
        key: x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
        for key, x in state.items()
    }


def transposed(state):
    return {key: x.t().contiguous().t() if x.dim() == 2 else x for key, x in state.items()}


def in_one_piece(state):
    """Parts of one larger tensor, each seen through a window."""
    whole = torch.cat([x.flatten() for x in state.values()]).split([x.numel() for x in state.values()])
    return {key: part.view(x.shape) for (key, x), part in zip(state.items(), whole)}


@pytest.mark.parametrize("lie", [channels_last, transposed, in_one_piece])
@pytest.mark.parametrize("base", [FF_CNN, BP_CNN | {"readout_epochs": 0}], ids=["ff", "bp"])
def test_networks_are_published_however_their_weights_lie(digits, monkeypatch, lie, base):
    monkeypatch.setattr(data, "load", lambda *_, **__: digits)
    config = change(base, SMALL, dict(readout_epochs=base["readout_epochs"] and 1))
    run("tiny", config, 0, "quick", progress=False)
    paths = list((records.folder().parent / "runs/tiny").glob("*.pt"))
    for path in paths:
        state = torch.load(path, weights_only=True)
        torch.save(state | {"learner": lie(state["learner"])}, path)
    assert not all(x.is_contiguous() for x in lie(state["learner"]).values()) or lie is not channels_last
    networks.publish("tiny", config, 0, "net")
    found = networks.load("net").learner.state_dict()
    assert all(torch.equal(found[key], state["learner"][key].half().float()) for key in found)


def test_a_pooled_network_is_published(digits, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *_, **__: digits)
    config = change(FF_CNN, SMALL, dict(blocks=dict(padding="same", pool="max")))
    run("tiny", config, 0, "quick", progress=False)
    networks.publish("tiny", config, 0, "net")
    assert networks.load("net").card["config"] == config


# --- folders
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["results", "results/a-study", "networks"])
def test_another_projects_folders_are_passed_over(tmp_path, monkeypatch, other):
    """The course's own records and networks are found beside the package, wherever one works."""
    monkeypatch.delenv("FFTOOLS_RESULTS_DIR")
    (tmp_path / other).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert records.folder() == ROOT / "results" and "ff-cnn-small-local" in networks.names()


def test_a_plain_install_elsewhere_says_how_to_name_the_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("FFTOOLS_RESULTS_DIR")
    monkeypatch.setattr(records, "__file__", str(tmp_path / "lib/evidence/records.py"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(
        ValueError, match=r"no network 'ff' in .*work/networks; there are: none\. Name .*FFTOOLS_RESULTS_DIR="
    ):
        networks.load("ff")
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(ROOT / "results"))
    assert networks.names()


# --- the command line
# -----------------------------------------------------------------------------------------

TINY_STUDY = f"""
import sys
from evidence import __main__, studies
from evidence.studies.mlp import FF
tiny = FF | {TINY | dict(epochs=40)}
studies.STUDIES["tiny"] = studies.Study("tiny", "×, ± and →",
                                        tiny, [dict(lr=lr / 1e4) for lr in range(1, 30)])
def asked(*words):
    sys.argv = ["evidence", *words]
    try:
        return __main__.main()
    except SystemExit as end:  # as argparse ends
        return end.code
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_study_says_what_is_kept(workers):
    command = [
        sys.executable,
        "-c",
        TINY_STUDY + "sys.exit(asked(*sys.argv[1:]))",
        "study",
        "run",
        "tiny",
        "--profile",
        "full",
        "--workers",
        str(workers),
    ]
    study = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.time() + 300
    while len(records.load("tiny")) < 3 * workers and study.poll() is None and time.time() < deadline:
        time.sleep(0.05)
    os.killpg(study.pid, signal.SIGINT)  # as Ctrl-C does: to the whole group
    out, err = study.communicate(timeout=120)
    said = [line for line in err.splitlines() if line.strip() and "epoch/s" not in line]
    assert study.returncode == 130 and out == "" and len(said) == 1, err
    assert (
        said[0].startswith("Interrupted. Kept: finished runs in") and "give the same command again" in said[0]
    )
    kept = len(records.load("tiny"))
    assert 1 <= kept < 29 and not left(records.folder())


@pytest.mark.parametrize("console", ["ascii", "latin-1", "cp437"])
def test_a_console_that_lacks_a_sign_gets_another_in_its_place(console):
    asked = 'print("ended", asked("study", "list"), asked("study", "run", "no ×"), asked("claims"))'
    done = subprocess.run(
        [sys.executable, "-c", TINY_STUDY + asked],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": console, "COLUMNS": "80"},
    )
    assert done.returncode == 0 and b"UnicodeEncodeError" not in done.stderr, done.stderr
    assert b"?" in done.stdout and b"tiny" in done.stdout
    assert done.stdout.split()[-4:] == [b"ended", b"0", b"2", b"0"]
