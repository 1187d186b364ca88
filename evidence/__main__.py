"""Commands: `python -m evidence study list | run NAME | show NAME | again RECORD`, `… claims`."""

import argparse
import json
import os
import re
import sys
from pathlib import Path

import pandas as pd

from evidence import claims, cluster, pages, records, run, studies
from evidence.query import table
from fftools.data import DataError
from fftools.files import write


def main() -> int:
    """Run one command; 1 and a message on stderr when it fails for a reason to mend, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # of a console that has no "×"
    try:
        arguments = _parser().parse_args()
        {"study": _study, "claims": _claims}[arguments.command](arguments)
    except (DataError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        kept = f"finished runs in {records.folder()}, the saved states of others in runs/ beside it"
        print(f"\nInterrupted. Kept: {kept}. To go on, give the same command again.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evidence", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    about = commands.add_parser("study", help="named grids of runs")
    study = about.add_subparsers(dest="action", required=True)
    study.add_parser("list", help="the studies, how many runs they have, and how many are recorded")
    make, show = study.add_parser("run"), study.add_parser("show")
    anew = study.add_parser("again", help="make a recorded run anew, and compare")
    anew.add_argument("record", type=Path, help="its file, results/STUDY/….json")
    for action in (make, show):
        action.add_argument("name", choices=studies.STUDIES)
        action.add_argument("--profile", choices=("quick", "full"), default="quick")
    make.add_argument("--seeds", type=int, default=1)
    make.add_argument("--workers", type=int, default=1, help="runs at a time, sharing the cores or the GPU")
    make.add_argument(
        "--budget", type=float, metavar="SECONDS", help="stop after an epoch when these are over"
    )
    make.add_argument("--ray", nargs="?", const="local", metavar="ADDRESS", help="use a cluster for the runs")
    make.add_argument("--gpus", type=float, default=0.0, help="share of a GPU for each run on Ray, like 0.25")
    claim = commands.add_parser("claims", help="what the papers report beside what we measured")
    places = "into README.md, book/reproduced.md and results/verdicts.json"
    claim.add_argument("--write", action="store_true", help=places)
    return parser


def _study(arguments) -> None:
    if arguments.action == "list":
        for name, study in studies.STUDIES.items():
            count = len(study.grid("full"))
            made = count - len(run.missing(study, "full", seeds=1))
            print(f"{name:32} {made:3} of {count:3} made  {study.about}")
    elif arguments.action == "again":
        _again(arguments.record)
    else:
        if arguments.action == "run":
            counts = _run(arguments)
            print(", ".join(f"{count} {end}" for end, count in counts.items()), file=sys.stderr)
        print(table(arguments.name, arguments.profile).to_string())


def _again(path: Path) -> None:
    kept, anew = records.read(path), run.again(path)
    told = {"kept": kept["metrics"], "again": anew["metrics"]}
    print(pd.DataFrame(told).assign(difference=lambda both: both["again"] - both["kept"]).to_string())
    for name, record in (("kept", kept), ("again", anew)):
        print(
            f"{name:6}", *(record["provenance"][part] for part in ("commit", "torch", "device", "precision"))
        )


def _run(arguments) -> dict[str, int]:
    workers, gpus, ray = arguments.workers, arguments.gpus, arguments.ray
    if (ray and workers > 1) or (gpus and not ray):
        given = f"--workers {workers}, --gpus {gpus:g}, --ray {ray or 'not'}"
        raise ValueError(f"--workers is for one machine and --gpus for Ray: got {given}")
    common = arguments.name, arguments.profile, arguments.seeds
    if ray:
        return cluster.run_on_ray(*common, ray, gpus, arguments.budget)
    # Workers that Ctrl-C ends leave nothing that anybody has to hear of.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    return run.run_study(*common, workers, arguments.budget)


def _claims(arguments) -> None:
    if not arguments.write:
        return print(pages.all_claims())
    root = records.folder().parent
    kept = root / "results" / "verdicts.json"
    if lost := claims.lost(json.loads(kept.read_text()) if kept.exists() else {}):
        told = "these claims lost their answer; if that is right, edit results/verdicts.json by hand:"
        raise ValueError("\n".join([told, *lost]))
    _replace(root / "README.md", pages.front_claims())
    _replace(root / "book/reproduced.md", pages.all_claims())
    records.write_json(kept, {claim.id: claim.verdict() for claim in claims.load()})


def _replace(path: Path, table: str) -> None:
    """Put a table between the lines <!-- claims --> and <!-- /claims --> of a file."""
    block = re.compile(r"(<!-- claims -->\n).*(\n<!-- /claims -->)", re.DOTALL)
    if not block.search(text := path.read_text("utf8")):
        raise ValueError(f"{path} has no lines <!-- claims --> and <!-- /claims -->")
    write(path, block.sub(lambda found: found[1] + table + found[2], text))


if __name__ == "__main__":
    sys.exit(main())
