"""Published networks: what was published comes back, and nothing else is ever believed."""

import hashlib
import json
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from evidence import cards, networks, records
from evidence.build import answers
from evidence.run import run
from evidence.studies import STUDIES, change
from evidence.studies.ff_cnn import BP_CNN, FF_CNN
from evidence.studies.mlp import FF
from fftools import data
from fftools.data import Dataset, Split
from fftools.readout import accuracies

CNN = {
    "dataset": "digits",
    "blocks": {"channels": 1, "widths": [3, 3, 3], "kernel": 5},
    "epochs": 2,
    "batch_size": 50,
    "lr": 3e-3,
    "train_images": 500,
    "validate_every": None,
}
MLP = {
    "dataset": "digits",
    "widths": [784, 12, 12],
    "batch_size": 50,
    "lr": 3e-3,
    "readout_epochs": 1,
    "train_images": 500,
}
CONFIGS = {
    "ff-cnn": change(FF_CNN, CNN, {"readout_epochs": 1}),
    "bp-cnn": change(BP_CNN, CNN),
    "standardised": change(BP_CNN, CNN, {"standardise": True}),
    "ff-mlp": change(FF, MLP, {"epochs": 2, "network": {"negatives": "hard"}}),
    "label-free": change(FF, MLP, {"epochs": 1, "label": "hybrids"}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, digits):
    """A folder with the runs of all configurations, their records and all networks, published."""
    root = tmp_path_factory.mktemp("course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FFTOOLS_RESULTS_DIR", str(root / "results"))
        patch.setattr(data, "load", lambda name, device="auto", fallback=None: digits)
        patch.setattr(torch.cpu, "get_capabilities", dict)  # float32: bf16 could move one of the few images
        for name, config in CONFIGS.items():
            run("tiny", config, 0, "quick", progress=False)
            networks.publish("tiny", config, 0, name)
    return root


@pytest.fixture
def course(made, tmp_path, monkeypatch, digits):
    """A copy of it for one test, as the folder that everything is read from."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(data, "load", lambda name, device="auto", fallback=None: digits)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    return tmp_path


def files(name):
    return networks.folder() / f"{name}.safetensors", networks.folder() / f"{name}.json"


def run_file(course, name):
    """Where the run left its weights."""
    return course / "runs/tiny" / f"{records.run_name(CONFIGS[name], 0)}.pt"


def reseal(name, /, **changes):
    """Change a card (None takes a key away) and give it its sum anew: damage by somebody who knows how."""
    path = files(name)[1]
    card = {
        key: value
        for key, value in (json.loads(path.read_text()) | changes).items()
        if key != "sum" and value is not None
    }
    path.write_bytes(cards.sealed(card))


def replace(name, content, **changes):
    """Put other bytes in place of a network's weights, with a card that vouches for them."""
    files(name)[0].write_bytes(content)
    reseal(name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), **changes)


# --- keeping and loading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_a_kept_network_answers_as_its_record_says(course, digits, name):
    before = torch.get_rng_state()
    learner, readout, card = networks.load(name)
    assert torch.equal(before, torch.get_rng_state()), "loading draws no random numbers"
    assert not learner.training and (readout is None) == (name in ("bp-cnn", "standardised"))
    assert readout is None or not readout.training and readout.learner is learner
    record = records.read(course / card["record"])
    assert card["metrics"] == record["metrics"] and card["config"] == record["config"] == CONFIGS[name]
    judged = accuracies(answers(learner, readout), digits.validation)
    found = {f"val_{way}": value for way, value in judged.items()}
    assert found == {key: value for key, value in record["metrics"].items() if key.startswith("val_")}
    assert len(found) == {"ff-cnn": 2, "bp-cnn": 1, "ff-mlp": 3, "label-free": 1, "standardised": 1}[name]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_weights_are_the_runs_in_half_precision(course, name):
    learner, readout, card = networks.load(name)
    run = torch.load(run_file(course, name), weights_only=True)["learner"]
    assert card["precision"] == "float16" and set(learner.state_dict()) == set(run)
    for key, x in learner.state_dict().items():
        assert x.dtype == torch.float32 and torch.equal(x, run[key].half().float())
    assert readout is None or len(safetensors.torch.load_file(files(name)[0])) == len(run) + 2, (
        "nothing is kept twice"
    )


def test_weights_that_half_precision_would_spoil_are_kept_whole(course):
    """A first block a million times smaller, a second as much larger: the same network, but not in halves."""
    config = CONFIGS["bp-cnn"]
    path = run_file(course, "bp-cnn")
    state = torch.load(path, weights_only=True)
    for key, x in state["learner"].items():
        if key.startswith("blocks.0"):
            x *= 2.0**-24
        if key == "blocks.1.0.weight":
            x *= 2.0**24
    torch.save(state, path)
    assert networks.publish("tiny", config, 0, "whole")["precision"] == "float32"
    learner, _, card = networks.load("whole")
    assert all(torch.equal(x, state["learner"][key]) for key, x in learner.state_dict().items())
    assert card["bytes"] > 1.8 * cards.read(files("bp-cnn")[1])["bytes"]


def test_keeping_again_gives_the_same_bytes(course):
    before = [path.read_bytes() for path in files("ff-cnn")]
    networks.publish("tiny", CONFIGS["ff-cnn"], 0, "ff-cnn")
    assert [path.read_bytes() for path in files("ff-cnn")] == before


def test_a_card_says_how_to_make_the_network_again(course):
    card = cards.read(files("ff-cnn")[1])
    record = f"results/tiny/{records.path_of('tiny', CONFIGS['ff-cnn'], 0).name}"
    assert card["record"] == record and (course / record).exists() and card["licence"] == "MIT"
    assert card["again"] == f"rm {record}; python -m evidence study run tiny --profile quick --seeds 1"
    weights = files("ff-cnn")[0].read_bytes()
    assert card["bytes"] == len(weights) and card["sha256"] == hashlib.sha256(weights).hexdigest()


@pytest.fixture
def second_fails():
    """A maker of disks that are full when a method of `Path` is called for the second time."""

    def make(patch, method):
        calls, true = [], getattr(Path, method)

        def fails(self, *arguments):
            calls.append(1)
            if len(calls) == 2:
                raise OSError("no space left on device")
            return true(self, *arguments)

        patch.setattr(Path, method, fails)

    return make


@pytest.mark.parametrize("method", ["write_bytes", "replace"])
@pytest.mark.parametrize("name", ["new", "bp-cnn"])
def test_a_network_is_kept_whole_or_not_at_all(course, monkeypatch, second_fails, name, method):
    """Under a new name, and in the place of another network, of which no half must be left."""
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        second_fails(patch, method)
        networks.publish("tiny", CONFIGS["ff-cnn"], 0, name)
    assert not [path for path in networks.folder().iterdir() if path.suffix == ".part"]
    if name == "bp-cnn" and method == "write_bytes":
        assert networks.load(name).card["config"] == CONFIGS["bp-cnn"], (
            "the old one, since nothing was replaced yet"
        )
    else:
        assert name not in networks.names()
    networks.publish("tiny", CONFIGS["ff-cnn"], 0, name)
    assert networks.load(name).card["config"] == CONFIGS["ff-cnn"]


def test_what_was_not_made_cannot_be_kept(course):
    config = CONFIGS["ff-cnn"]
    with pytest.raises(ValueError, match=r"no finished run: .*-s1\.json"):
        networks.publish("tiny", config, 1, "new")
    linear = next((course / "runs/tiny").glob("*-linear.pt"))
    shutil.rmtree(linear.parent)
    with pytest.raises(ValueError, match=r"no weights .*-s0-linear\.pt"):
        networks.publish("tiny", config, 0, "new")
    assert "new" not in networks.names()


def test_a_run_without_validation_numbers_is_not_kept(course):
    path = records.path_of("tiny", CONFIGS["bp-cnn"], 0)
    record = records.read(path)
    record["metrics"] = {"test_accuracy": 0.5}
    records.write_json(path, record)
    with pytest.raises(
        ValueError, match="accuracy on validation images are published; tiny on .* has test_accuracy"
    ):
        networks.publish("tiny", CONFIGS["bp-cnn"], 0, "new")


def test_weights_of_another_run_are_not_kept(course):
    one, other = (run_file(course, name) for name in ("bp-cnn", "ff-mlp"))
    state = torch.load(one, weights_only=True)
    state["learner"]["head.weight"].neg_()
    torch.save(state, one)
    with pytest.raises(
        ValueError, match=r"not those of the record results/tiny/.*expected val_accuracy 0\.\d+, found 0\."
    ):
        networks.publish("tiny", CONFIGS["bp-cnn"], 0, "new")
    shutil.copy(other, one)
    with pytest.raises(
        ValueError, match="the run's weights: not the network of its configuration.*blocks.0.0.weight float32"
    ):
        networks.publish("tiny", CONFIGS["bp-cnn"], 0, "new")
    assert "new" not in networks.names()


# --- what is not believed -----------------------------------------------------------------------------------


def test_unknown_names_are_answered_with_the_known_ones(course):
    for name in ("ff", "../networks/ff-cnn", ""):
        with pytest.raises(
            ValueError, match="no network .*; there are: bp-cnn, ff-cnn, ff-mlp, label-free, standardised"
        ):
            networks.load(name)


def test_a_folder_without_networks_says_so():
    with pytest.raises(ValueError, match="no network 'ff-cnn' in .*networks; there are: none"):
        networks.load("ff-cnn")


def test_a_missing_file_is_named_with_the_way_to_make_it(course):
    files("ff-cnn")[0].unlink()
    with pytest.raises(
        ValueError, match=r"ff-cnn\.safetensors is missing.*python -m evidence study run tiny"
    ):
        networks.load("ff-cnn")


def test_a_truncated_file(course):
    path = files("ff-cnn")[0]
    path.write_bytes(path.read_bytes()[:-7])
    size = path.stat().st_size
    with pytest.raises(
        ValueError, match=rf"ff-cnn\.safetensors is damaged.*bytes should be {size + 7}, found {size}"
    ):
        networks.load("ff-cnn")


def test_a_flipped_byte_is_found_before_anything_is_parsed(course, monkeypatch):
    path = files("ff-cnn")[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(safetensors.torch, "load", lambda _: pytest.fail("parsed"))
    with pytest.raises(
        ValueError, match=r"ff-cnn\.safetensors is damaged.*sha256 should be \w{64}, found \w{64}"
    ):
        networks.load("ff-cnn")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    "dump",
    [
        lambda bomb, path: path.write_bytes(pickle.dumps(bomb)),
        lambda bomb, path: torch.save({"learner.head.bias": bomb}, path),
    ],
    ids=["pickle", "torch"],
)
def test_a_pickle_in_disguise_is_never_opened_even_with_a_card_that_vouches_for_it(course, dump):
    path, mark = files("ff-cnn")[0], course / "executed"
    dump(Bomb(mark), path)
    with pytest.raises(ValueError, match="ff-cnn.safetensors is damaged"):
        networks.load("ff-cnn")
    replace("ff-cnn", path.read_bytes())
    with pytest.raises(ValueError, match=r"ff-cnn\.safetensors is no safetensors file"):
        networks.load("ff-cnn")
    assert not mark.exists()


def test_a_card_of_another_network(course):
    shutil.copy(files("bp-cnn")[1], files("ff-cnn")[1])
    with pytest.raises(
        ValueError, match=r"ff-cnn\.json is of another network: it should name 'ff-cnn', found 'bp-cnn'"
    ):
        networks.load("ff-cnn")
    reseal("ff-cnn", name="ff-cnn")
    with pytest.raises(
        ValueError, match=r"ff-cnn\.safetensors is damaged or not the file of its card: bytes should be"
    ):
        networks.load("ff-cnn")
    replace("ff-cnn", files("ff-cnn")[0].read_bytes())
    with pytest.raises(
        ValueError, match=r"expected learner\.head\.bias .* found nothing;.*; linear\.bias nothing, found"
    ):
        networks.load("ff-cnn")


def test_tensors_of_another_name_shape_or_precision(course):
    tensors = safetensors.torch.load_file(files("bp-cnn")[0])
    key, x = "learner.head.bias", tensors["learner.head.bias"]
    for wrong, said in [
        ({key: x[:9].clone()}, r"learner\.head\.bias float16 \(10,\), found float16 \(9,\)"),
        ({key: x.float()}, r"learner\.head\.bias float16 \(10,\), found float32 \(10,\)"),
        ({"learner.extra": x.clone()}, r"learner\.extra nothing, found float16 \(10,\)"),
    ]:
        replace("bp-cnn", safetensors.torch.save(tensors | wrong))
        with pytest.raises(
            ValueError, match=rf"bp-cnn\.safetensors: not the network of its configuration; expected {said}$"
        ):
            networks.load("bp-cnn")


@pytest.mark.parametrize(
    "written", [b"", b"not JSON", b"\xff\xfe", b"[" * 100_000], ids=["empty", "text", "bytes", "nested"]
)
def test_a_card_that_is_not_json(course, written):
    files("ff-cnn")[1].write_bytes(written)
    with pytest.raises(ValueError, match=r"card .*ff-cnn\.json is not JSON"):
        networks.load("ff-cnn")


@pytest.mark.parametrize("key", sorted(cards.KEYS - {"sum"}))
def test_a_card_that_lacks_a_key(course, key):
    reseal("ff-cnn", **{key: None})
    with pytest.raises(ValueError, match=rf"card .*ff-cnn\.json lacks keys or has too many: {key}$"):
        networks.load("ff-cnn")


def test_a_card_that_was_edited_or_describes_nothing(course):
    path = files("ff-cnn")[1]
    before = path.read_text()
    path.write_text(before.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(ValueError, match=r"ff-cnn\.json was damaged or changed by hand"):
        networks.load("ff-cnn")
    for wrong in (
        {"config": {}},
        {"image": [1, 2, 2]},
        {"config": json.loads(before)["config"] | {"network": {"norm": "?"}}},
    ):
        path.write_text(before)
        reseal("ff-cnn", **wrong)
        with pytest.raises(
            ValueError, match="configuration of 'ff-cnn' describes no network that can be built"
        ):
            networks.load("ff-cnn")
    path.write_text("[1]")
    with pytest.raises(ValueError, match="lacks keys"):
        networks.load("ff-cnn")


@pytest.mark.parametrize("kind", ["weights", "card"])
def test_damage_anywhere_is_found(course, kind, monkeypatch):
    """300 random flips, cuts and insertions: each a clear error by name, nothing unpickled or executed."""
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpickled"))
    path, chance = files("ff-cnn")[kind == "card"], random.Random(5)
    whole = path.read_bytes()
    for _ in range(300):
        at, content = chance.randrange(len(whole)), bytearray(whole)
        how = chance.choice(["flip", "cut", "drop", "insert"])
        if how == "flip":
            content[at] ^= chance.randrange(1, 256)
        elif how == "insert":
            content[at:at] = chance.randbytes(chance.randrange(1, 9))
        else:
            del content[at : None if how == "cut" else at + chance.randrange(1, 9)]
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"ff-cnn\.(json|safetensors)"):
            networks.load("ff-cnn")
    path.write_bytes(whole)
    assert networks.load("ff-cnn").card["name"] == "ff-cnn"


def test_damage_that_the_card_vouches_for_is_found_or_harmless(course):
    """The file's reader, too, takes any bytes: an error, or tensors of right names, shapes and precision."""
    whole, chance, refused = files("ff-cnn")[0].read_bytes(), random.Random(6), 0
    for at in range(120):  # the header, where the names and shapes stand
        content = bytearray(whole)
        content[at] ^= chance.randrange(1, 256)
        replace("ff-cnn", bytes(content))
        try:
            networks.load("ff-cnn")
        except ValueError:
            refused += 1
    assert refused > 100


# --- the networks of this course ---------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parent.parent
KEPT = sorted(path.stem for path in (ROOT / "networks").glob("*.json"))


@pytest.mark.parametrize("name", KEPT)
def test_every_network_of_the_course_loads_and_belongs_to_its_record(name, monkeypatch):
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(ROOT / "results"))
    learner, readout, card = networks.load(name)
    record = records.read(ROOT / card["record"])
    assert all(card[key] == record[key] for key in ("study", "config", "seed", "profile", "metrics"))
    assert card["config"] in STUDIES[card["study"]].grid(card["profile"]), (
        "the command in its card would make it"
    )
    for found in answers(learner, readout)(torch.rand(2, *card["image"])).values():
        assert found.shape == (2, card["classes"]) and found.isfinite().all()


def test_the_networks_are_light():
    kept = list((ROOT / "networks").iterdir())
    assert {path.name for path in kept} == {
        f"{name}.{kind}" for name in KEPT for kind in ("json", "safetensors")
    }
    assert len(KEPT) >= 3 and sum(path.stat().st_size for path in kept) < 21e6


# --- the house ----------------------------------------------------------------------------------------------


def test_importing_fftools_stays_light():
    script = "import sys, fftools; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def test_no_test_label_chooses_the_precision(course, digits, monkeypatch):
    """What is kept does not depend on test labels."""
    before = files("ff-cnn")[0].read_bytes()
    blind = Dataset(
        "digits", digits.train, digits.validation, Split(digits.test.images, digits.test.labels * 0)
    )
    monkeypatch.setattr(data, "load", lambda *_, **__: blind)
    networks.publish("tiny", CONFIGS["ff-cnn"], 0, "ff-cnn")
    assert files("ff-cnn")[0].read_bytes() == before
