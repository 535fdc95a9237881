"""Count what is in a file of greetings, and write the numbers as JSON."""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputfile", type=Path, required=True)
    parser.add_argument("--outputfile", type=Path, required=True)
    args = parser.parse_args()

    greetings = args.inputfile.read_text(encoding="utf-8").splitlines()
    if not greetings:
        raise SystemExit(f"{args.inputfile} has no greetings")
    analytics = {
        "greetings": len(greetings),
        "longest": max(greetings, key=len),
        "mean_length": round(sum(map(len, greetings)) / len(greetings), 2),
    }
    args.outputfile.write_text(json.dumps(analytics, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
