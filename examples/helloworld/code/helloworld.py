"""Greet everyone who is named in a file, one name a line."""

import argparse
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputfile", type=Path, required=True)
    parser.add_argument("--outputfile", type=Path, required=True)
    parser.add_argument("--greeting", default="Hello")
    parser.add_argument("--sleeptime", type=float, default=0, help="seconds to wait before each name")
    args = parser.parse_args()

    names = args.inputfile.read_text(encoding="utf-8").split()
    with args.outputfile.open("w", encoding="utf-8") as greetings:
        for name in names:
            time.sleep(args.sleeptime)
            print(f"{args.greeting}, {name}!", file=greetings)
            print("greeted", name)


if __name__ == "__main__":
    main()
