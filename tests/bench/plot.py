# SPDX-License-Identifier: BSD-3-Clause
"""A picture of the rows, by gnuplot: cycles of the worker for a frame, and the limit beside each."""
import subprocess

from common import WORK
from report import cycles_of

SCRIPT = """
set terminal svg size 900,{height} dynamic font 'sans-serif,11' background '#ffffff'
set output '{path}'
set title "Worker cycles for a frame, and the least that this machine takes ({cpu}, {distance})"
set style fill solid 0.9 noborder
set boxwidth 0.38
set yrange [{top}:-0.7]
set xrange [0:*]
set xtics nomirror
set ytics nomirror scale 0
set grid xtics lc '#dddddd'
set key bottom right
set lmargin 40
set xlabel "cycles"
plot '{data}' using (0.5*$3):($1-0.2):(0.5*$3):(0.19):ytic(2) with boxxyerror lc '#2b6cb0' title 'vale-switch', \\
     '{data}' using (0.5*$4):($1+0.2):(0.5*$4):(0.19) with boxxyerror lc '#b8b8b8' title 'limit'
"""


def drawn(summaries):
    """Throughput rows measured in the class that most of them were."""
    rows = [s for s in summaries if s["kind"] == "throughput" and s["worker_cycles"] and s["limit_cycles"]]
    near = [s for s in rows if s["class"] == "near"]
    return near or rows


def draw(path, summaries, machine):
    rows = drawn(summaries)
    if not rows:
        return
    data = f"{WORK}/plot.dat"
    with open(data, "w", encoding="utf-8") as f:
        for i, s in enumerate(rows):
            f.write(f'{i} "{s["what"]}" {cycles_of(s):.1f} {s["limit_cycles"]:.1f}\n')
    script = SCRIPT.format(path=path, data=data, height=120 + 24 * len(rows), top=len(rows) - 0.3, cpu=machine["cpu"],
                           distance=rows[0]["class"])
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
