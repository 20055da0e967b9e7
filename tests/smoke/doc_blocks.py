#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print the commands of a document's examples, as a shell script calls.

usage: doc_blocks.py FILE OUTDIR

Markdown: ```sh blocks are scripts; in ```console blocks the lines that begin with `$ ` or `# ` (and their
continuations) are commands. Each block becomes OUTDIR/NNN.sh or OUTDIR/NNN.console, one command a line
for the latter. A line of a console block ends at ` # ` (a comment for the reader).
"""
import re
import sys


def blocks(text):
    kind, lines = None, []
    for line in text.splitlines():
        if kind is None:
            m = re.match(r"^```(sh|console)\s*$", line)
            if m:
                kind, lines = m.group(1), []
        elif line.startswith("```"):
            yield kind, lines
            kind = None
        else:
            lines.append(line)


def commands(lines):
    joined = []
    for line in lines:
        if joined and joined[-1].endswith("\\"):
            joined[-1] = joined[-1][:-1].rstrip() + " " + line.strip()
        elif line[:2] in ("$ ", "# "):
            joined.append(line[2:])
    return [re.sub(r"\s{2,}#\s.*$", "", c) for c in joined]


def main():
    path, outdir = sys.argv[1:]
    with open(path, encoding="utf-8") as f:
        text = f.read()
    n = 0
    for n, (kind, lines) in enumerate(blocks(text), 1):
        body = lines if kind == "sh" else commands(lines)
        with open(f"{outdir}/{n:03d}.{kind}", "w", encoding="utf-8") as f:
            f.write("\n".join(body) + "\n")
    print(n)


main()
