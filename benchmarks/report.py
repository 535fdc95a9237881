"""Makes one page of the rows that run.sh has collected: a table, the ratios as bars, and how each question grows.

    benchmarks/report.py ROWS PAGE

The page needs nothing but itself. Ratios are on a logarithmic scale: 1 is the limit, and less is better.
"""

import html
import math
import re
import sys
from pathlib import Path
from typing import NamedTuple

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "ns": 1e-9, "MB": 1e6, "KB": 1e3, "MB/s": 1e6, "steps/s": 1.0, "/s": 1.0}
WIDTH, HEIGHT, MARGIN = 420, 220, 48
BAR, LABEL, SCALE = 16, 230, 560
COLORS = ["#0b6e4f", "#b23a48", "#3a5a9b", "#c17c00", "#6a4c93", "#5b6770", "#008891", "#a44a00"]


class Question:
    def __init__(self, name: str) -> None:
        self.name = name
        self.ours = self.limit = self.quartiles = ""
        self.ratio: float | None = None
        self.peers: list[tuple[str, float]] = []

    def bars(self) -> list[tuple[str, float]]:
        own = [("libflowworker", self.ratio)] if self.ratio is not None else []
        return [*own, *self.peers]


def read(lines: list[str]) -> tuple[list[Question], list[str]]:
    questions: dict[str, Question] = {}
    notes: list[str] = []
    for line in lines:
        kind, *cells = line.split("\t")
        if kind == "run":
            continue
        if kind == "note":
            notes += [cells[0]] if cells[0] not in notes else []
            continue
        question = questions.setdefault(cells[0], Question(cells[0]))
        if kind == "row":
            question.ours, question.limit = cells[1], cells[2]
            question.ratio = number(cells[3])
            question.quartiles = cells[4] if len(cells) > 4 else ""
        elif kind == "peer" and (value := number(cells[2])) is not None:
            question.peers.append((cells[1], value))
    return list(questions.values()), notes


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def amount(shown: str) -> float | None:
    """A value with its unit, in seconds, bytes or pieces."""
    match = re.fullmatch(r"([0-9.]+) ?([A-Za-z/]*)", shown.strip())
    return float(match[1]) * UNITS.get(match[2], 1.0) if match else None


def text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{html.escape(words)}</text>'


def bars(question: Question) -> str:
    """Draws one bar from the limit for each side that was measured."""
    shown = [(name, ratio) for name, ratio in question.bars() if ratio > 0]
    # A single value is in the table already.
    if len(shown) < 2:
        return ""
    low = min(0.5, *(ratio for _, ratio in shown)) / 1.1
    high = max(2.0, *(ratio for _, ratio in shown)) * 1.1

    def at(ratio: float) -> float:
        return LABEL + SCALE * math.log(ratio / low) / math.log(high / low)

    height = BAR * (len(shown) + 1)
    parts = [f'<svg viewBox="0 0 {LABEL + SCALE + 70} {height}" role="img" aria-label="{html.escape(question.name)}">']
    for index, (name, ratio) in enumerate(shown):
        y = BAR * index
        begin, end = sorted((at(1.0), at(ratio)))
        color = COLORS[0] if "libflowworker" in name or "flowworker" in name else "#9aa5ad"
        parts.append(text(LABEL - 8, y + 12, name, "end"))
        parts.append(
            f'<rect x="{begin:.1f}" y="{y + 3}" width="{max(1.5, end - begin):.1f}" height="{BAR - 5}" fill="{color}"/>'
        )
        parts.append(text(end + 5, y + 12, f"{ratio:.2f}"))
    parts.append(f'<line x1="{at(1.0):.1f}" x2="{at(1.0):.1f}" y1="0" y2="{height - BAR}" class="one"/>')
    parts.append(text(at(1.0), height - 4, "1 = the limit", "middle"))
    return "".join([*parts, "</svg>"])


class Point(NamedTuple):
    size: float
    value: float


def growing(questions: list[Question]) -> dict[str, dict[str, list[Point]]]:
    """Questions that differ in one number only, of which there are three or more: the number's curves."""
    groups: dict[str, list[tuple[float, Question]]] = {}
    for question in questions:
        for match in re.finditer(r"(?<![\w.])\d+(?![\w.])", question.name):
            words = question.name[: match.start()] + "N" + question.name[match.end() :]
            groups.setdefault(words, []).append((float(match[0]), question))
    curves: dict[str, dict[str, list[Point]]] = {}
    for words, members in groups.items():
        if len({size for size, _ in members}) < 3:
            continue
        lines: dict[str, list[Point]] = {}
        for size, question in sorted(members, key=lambda member: member[0]):
            for name, ratio in question.bars():
                lines.setdefault(name, []).append(Point(size, ratio))
        curves[f"{words}: ratio"] = lines
        absolute = {
            "libflowworker": [(size, amount(q.ours)) for size, q in members],
            "the limit": [(size, amount(q.limit)) for size, q in members],
        }
        plain = {name: sorted(Point(size, value) for size, value in line if value) for name, line in absolute.items()}
        if any(plain.values()):
            unit = next((q.ours.split()[-1] for _, q in members if " " in q.ours), "")
            what = (
                unit
                if unit.endswith("/s")
                else {"MB": "bytes", "KB": "bytes"}.get(unit, "seconds" if unit in UNITS else "count")
            )
            curves[f"{words}: {what}"] = plain
    return {title: {name: line for name, line in lines.items() if len(line) > 1} for title, lines in curves.items()}


def plot(title: str, lines: dict[str, list[Point]]) -> str:
    points = [point for line in lines.values() for point in line if point.size > 0 and point.value > 0]
    if len(points) < 2:
        return ""
    ranges = []
    for values in ([point.size for point in points], [point.value for point in points]):
        low, high = min(values), max(values)
        ranges.append((low / 1.3, high * 1.3) if low == high else (low, high))
    (x_low, x_high), (y_low, y_high) = ranges

    def place(point: Point) -> tuple[float, float]:
        x = MARGIN + (WIDTH - MARGIN - 10) * math.log(point.size / x_low) / math.log(x_high / x_low)
        y = HEIGHT - 28 - (HEIGHT - 40) * math.log(point.value / y_low) / math.log(y_high / y_low)
        return x, y

    legend = 14 * len(lines)
    parts = [
        f"<figure><figcaption>{html.escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + legend}" role="img" aria-label="{html.escape(title)}">'
    ]
    parts.append(f'<path d="M{MARGIN} 10V{HEIGHT - 26}H{WIDTH - 8}" class="axis"/>')
    for size in sorted({point.size for point in points}):
        parts.append(text(place(Point(size, y_low))[0], HEIGHT - 12, f"{size:g}", "middle"))
    for value in (y_low, math.sqrt(y_low * y_high), y_high):
        parts.append(text(MARGIN - 5, place(Point(x_low, value))[1] + 4, f"{value:.3g}", "end"))
    for index, (name, line) in enumerate(lines.items()):
        color = COLORS[index % len(COLORS)]
        places = [place(point) for point in line if point.size > 0 and point.value > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" stroke="{color}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in places]
        parts.append(text(MARGIN, HEIGHT + 10 + 14 * index, name, more=f' fill="{color}"'))
    return "".join([*parts, "</svg></figure>"])


def table(questions: list[Question]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(q.name)}</td><td>{html.escape(q.ours)}</td><td>{html.escape(q.limit)}</td>"
        f"<td><b>{'' if q.ratio is None else f'{q.ratio:.2f}'}</b></td><td>{html.escape(q.quartiles)}</td>"
        f"<td>{html.escape(', '.join(f'{name} {ratio:.2f}' for name, ratio in q.peers))}</td></tr>"
        for q in questions
    )
    heads = "".join(
        f"<th>{head}</th>" for head in ("question", "ours", "limit", "ratio", "quartiles", "peers, to the limit")
    )
    return f"<div class=wide><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1d2529; background: #fff }
h1, h2 { font-weight: 600 } h2 { margin-top: 2.2rem } h3 { font-size: 1rem; margin: 1.2rem 0 .2rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #dde3e6; vertical-align: top }
svg { width: 100%; height: auto; max-width: 54rem } svg text { font: 11px system-ui, sans-serif; fill: #1d2529 }
figure { display: inline-block; width: 26rem; max-width: 100%; margin: .6rem 1rem .6rem 0; vertical-align: top }
figcaption { font-size: 13px; font-weight: 600 }
.axis { fill: none; stroke: #9aa5ad } .one { stroke: #1d2529; stroke-dasharray: 3 3 }
polyline { fill: none; stroke-width: 2 }
"""


def page(questions: list[Question], notes: list[str]) -> str:
    told = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    charts = "".join(f"<h3>{html.escape(q.name)}</h3>{chart}" for q in questions if (chart := bars(q)))
    plots = "".join(plot(title, lines) for title, lines in growing(questions).items())
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>libflowworker: benchmarks</title><style>{STYLE}</style><h1>libflowworker: benchmarks</h1>"
        "<p>Each figure is a ratio of one run, to a bare program that does the same work: less is better. "
        "<code>make bench</code> has made this page; benchmarks/README.md says what each question is.</p>"
        + (f"<ul>{told}</ul>" if told else "")
        + f"<h2>Side by side</h2>{charts}"
        + (f"<h2>As the work grows</h2>{plots}" if plots else "")
        + f"<h2>All figures</h2>{table(questions)}</html>\n"
    )


def main() -> None:
    questions, notes = read(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    Path(sys.argv[2]).write_text(page(questions, notes), encoding="utf-8")


if __name__ == "__main__":
    main()
