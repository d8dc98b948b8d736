"""Draws the dashboards as pictures: evaluates every query against a Prometheus, and lays the panels out as Grafana would.

    python draw.py http://127.0.0.1:9090 SECONDS FOLDER

Exit code 1 if a panel has no data and EMPTY does not say why.
"""

import json
import math
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter

DASHBOARDS = Path(__file__).resolve().parents[2] / "helm/dinggate/dashboards"
# Panels that stay empty in this run, and why.
EMPTY = {
    "Certificate lasts": "the gateways speak plaintext here",
}
STEP = 2
# Grafana's $__rate_interval: four scrapes, or one step where that is longer.
VARIABLES = {"$namespace": ".*", "$job": ".*", "$app": ".*", "$__rate_interval": f"{4 * STEP}s"}
CELL = 0.3  # inches of a grid unit's height; the 24 columns are 20 inches wide


def ask(server, path, **arguments):
    with urllib.request.urlopen(f"{server}/api/v1/{path}?{urllib.parse.urlencode(arguments)}") as answer:
        return json.load(answer)["data"]["result"]


def filled_in(expression, seconds):
    for name, value in {**VARIABLES, "$__range": f"{seconds:.0f}s"}.items():
        expression = expression.replace(name, value)
    return expression


def series(server, target, begin, end):
    """(labels, times, values) of each series; an instant query has one time."""
    expression = filled_in(target["expr"], end - begin)
    if target.get("instant"):
        found = ask(server, "query", query=expression, time=end)
        return [(one["metric"], [one["value"][0]], [float(one["value"][1])]) for one in found]
    found = ask(server, "query_range", query=expression, start=begin, end=end, step=STEP)
    return [(one["metric"], [t - begin for t, _ in one["values"]], [float(v) for _, v in one["values"]]) for one in found]


def is_something(values):
    """A quotient of nothing by nothing is no number."""
    return any(not math.isnan(value) for value in values)


def legend(target, labels):
    text = target["legendFormat"]
    if text == "__auto":
        return ", ".join(labels.values())
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def readable(value, unit):
    if unit == "percentunit":
        return f"{value:.1%}"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "s" and 0 < value < 1:
        return f"{value * 1000:.3g} ms"
    if unit == "s" and value >= 3600:
        return f"{value / 3600:.3g} h"
    return f"{value:.5g}" if unit == "short" else f"{value:.3g}" + {"s": " s", "reqps": "/s"}.get(unit, "")


def draw_lines(axes, shown, unit, stacked, seconds):
    axes.set_facecolor("white")
    if stacked:
        times = sorted({t for _, ts, _ in shown for t in ts})
        rows = [[dict(zip(ts, vs)).get(t, 0) for t in times] for _, ts, vs in shown]
        axes.stackplot(times, rows, labels=[name for name, _, _ in shown], alpha=0.7)
    else:
        for name, times, values in shown:
            axes.plot(times, values, label=name, linewidth=1.2)
    axes.set_xlim(0, seconds)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: readable(value, unit)))
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def draw_text(axes, lines, size):
    axes.set_axis_off()
    axes.text(0.5, 0.45, "\n".join(lines), ha="center", va="center", fontsize=size, transform=axes.transAxes)


def draw_panel(server, figure, place, panel, begin, end):
    """Returns whether there was anything to show."""
    x, y, width, height = place
    unit, kind = panel["fieldConfig"]["defaults"]["unit"], panel["type"]
    legend_room = 0.26 if kind == "timeseries" else 0
    axes = figure.add_axes([x + 0.028, y + 0.13 * height, width * (1 - legend_room) - 0.045, height * 0.72])
    axes.set_title(panel["title"], fontsize=8, loc="left", fontweight="bold")
    found = [(target, *one) for target in panel["targets"] for one in series(server, target, begin, end) if is_something(one[2])]
    if not found:
        draw_text(axes, ["no data", EMPTY.get(panel["title"], "AND NO REASON")], 8)
        return False
    if kind == "stat":
        draw_text(axes, [f"{legend(t, m)} {readable(v[-1], unit)}".strip() for t, m, _, v in found], 16 if len(found) < 3 else 9)
    elif kind == "table":
        rows = sorted(((v[-1], *m.values()) for _, m, _, v in found), reverse=True)
        draw_text(axes, ["   ".join([readable(value, unit), *labels]) for value, *labels in rows[:9]], 6)
    else:
        shown = [(legend(t, m), ts, vs) for t, m, ts, vs in found]
        stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
        draw_lines(axes, shown, unit, stacked, end - begin)
    return True


def draw(server, dashboard, begin, end, file):
    """Returns the titles of panels without data."""
    panels = dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + 1
    figure = pyplot.figure(figsize=(20, rows * CELL), facecolor="#f4f5f5")
    figure.text(0.01, 1 - 0.6 / rows, dashboard["title"], fontsize=12, fontweight="bold")
    empty = []
    for panel in panels:
        at = panel["gridPos"]
        x, top, width, height = at["x"] / 24, at["y"] + 1, at["w"] / 24, at["h"] / rows
        y = 1 - (top + at["h"]) / rows
        if panel["type"] == "row":
            figure.text(x + 0.01, y + height * 0.3, panel["title"], fontsize=9, color="#555")
        elif not draw_panel(server, figure, (x, y, width, height), panel, begin, end):
            empty.append(panel["title"])
    figure.savefig(file, dpi=80)
    pyplot.close(figure)
    return empty


def main(server, seconds, folder):
    end = time.time()
    faults = 0
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path in sorted(DASHBOARDS.glob("*.json")):
        file = Path(folder, f"{path.stem}.png")
        for title in draw(server, json.loads(path.read_text()), end - float(seconds), end, file):
            reason = EMPTY.get(title)
            faults += reason is None
            print(f"{path.stem}: {title}: no data ({reason or 'AND NO REASON'})")
        print(f"drew {file}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
