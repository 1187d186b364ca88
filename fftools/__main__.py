"""Command line: `python -m fftools data mnist` downloads datasets and checks them, folders of images too."""

import argparse
import sys

from fftools import data


def main() -> int:
    """Run the command; 1 and a message on stderr when it fails for a reason the user can mend."""
    for stream in sys.stdout, sys.stderr:
        stream.reconfigure(errors="replace")  # a console may not know every character
    parser = argparse.ArgumentParser(prog="fftools", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    get = commands.add_parser("data", help="download datasets and check them")
    which = f"{', '.join(data.NAMES)}, or a folder of images"
    get.add_argument("names", nargs="+", metavar="name", help=which)
    try:
        for name in parser.parse_args().names:
            loaded = data.load(name, "cpu")
            counts = " + ".join(str(len(part)) for part in (loaded.train, loaded.validation, loaded.test))
            print(f"{name}: {counts} examples, {loaded.classes} classes; {loaded.source}; {data.folder()}")
    except (data.DataError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
