"""Command line: `python -m evidence study list | status | run NAME | show NAME`, `… claims [--write]`."""

import argparse
import json
import os
import re
import sys
from pathlib import Path

from evidence import claims, cluster, pages, records, run, studies
from evidence.query import table
from fftools.data import DataError
from fftools.files import write


def main() -> int:
    """Run one command; 1 and a message on stderr when it fails for a reason to mend, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # of a console that has no "×"
    parser = argparse.ArgumentParser(prog="evidence", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    study = commands.add_parser("study", help="named grids of runs").add_subparsers(
        dest="action", required=True
    )
    study.add_parser("list", help="the studies and how many of their runs are recorded")
    study.add_parser("status", help="runs done and missing, by study and profile")
    for action in ("run", "show"):
        sub = study.add_parser(action)
        sub.add_argument("name", choices=studies.STUDIES)
        sub.add_argument("--profile", choices=("quick", "full"), default="quick")
    make = study.choices["run"]
    make.add_argument("--seeds", type=int, default=1)
    make.add_argument("--workers", type=int, default=1, help="runs at a time, sharing the cores or the GPU")
    make.add_argument(
        "--budget", type=float, metavar="SECONDS", help="stop at the end of an epoch after so long"
    )
    make.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS", help="spread the runs over a Ray cluster"
    )
    make.add_argument(
        "--gpus", type=float, default=0.0, help="share of a GPU for each run on Ray, such as 0.25"
    )
    claim = commands.add_parser("claims", help="what the papers report beside what we measured")
    claim.add_argument(
        "--write", action="store_true", help="into README.md, book/reproduced.md and results/verdicts.json"
    )
    arguments = parser.parse_args()
    try:
        {"study": _study, "claims": _claims}[arguments.command](arguments)
    except (DataError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        kept = f"finished runs in {records.folder()}, the saved states of others in runs/ beside it"
        print(f"\nInterrupted. Kept: {kept}. To go on, give the same command again.", file=sys.stderr)
        return 130
    return 0


def _study(arguments) -> None:
    if arguments.action == "list":
        for name, study in studies.STUDIES.items():
            print(f"{name:24} {len(records.load(name)):3} records  {study.about}")
        return
    if arguments.action == "status":
        print(run.status().to_string(index=False))
        return
    if arguments.action == "run":
        if (arguments.ray and arguments.workers > 1) or (arguments.gpus and not arguments.ray):
            given = (
                f"--workers {arguments.workers}, --gpus {arguments.gpus:g}, --ray {arguments.ray or 'not'}"
            )
            raise ValueError(f"--workers is for one machine and --gpus for Ray: got {given}")
        common = arguments.name, arguments.profile, arguments.seeds
        if arguments.ray:
            counts = cluster.run_on_ray(*common, arguments.ray, arguments.gpus, arguments.budget)
        else:  # workers that Ctrl-C ends leave nothing that anybody has to hear of
            os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
            counts = run.run_study(*common, arguments.workers, arguments.budget)
        print(", ".join(f"{count} {end}" for end, count in counts.items()), file=sys.stderr)
    print(table(arguments.name, arguments.profile).to_string())


def _claims(arguments) -> None:
    if not arguments.write:
        print(pages.all_claims())
        return
    root = records.folder().parent
    kept = root / "results" / "verdicts.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}
    if lost := claims.lost(before):
        told = "these claims lost their answer; if that is right, edit results/verdicts.json by hand:"
        raise ValueError("\n".join([told, *lost]))
    for name, shown in (("README.md", pages.front_claims()), ("book/reproduced.md", pages.all_claims())):
        _replace(root / name, shown)
    records.write_json(kept, {claim.id: claim.verdict() for claim in claims.load()})


def _replace(path: Path, table: str) -> None:
    """Put a table between the lines <!-- claims --> and <!-- /claims --> of a file."""
    block = re.compile(r"(<!-- claims -->\n).*(\n<!-- /claims -->)", re.DOTALL)
    text = path.read_text("utf8")
    if not block.search(text):
        raise ValueError(f"{path} has no lines <!-- claims --> and <!-- /claims -->")
    write(path, block.sub(lambda found: found[1] + table + found[2], text))


if __name__ == "__main__":
    sys.exit(main())
