#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mutate.sh LIST TARGETS -- COMMAND...: takes one check at a time out of the source and sees that the command fails.
#
# It works on a copy of the tree with its build folder (VALE_BUILD, a folder of the tree), builds TARGETS (words of one
# argument) there and runs COMMAND in it, with VALE_BUILD set to the copy's. First with nothing taken out, when it must
# succeed.
#
# LIST has a line for each check: `VALUE@FILE@CONDITION`. CONDITION, which must be in FILE once, is made to have VALUE (0 or
# 1). `EDIT@FILE@OLD@NEW` puts NEW in OLD's place; \n is a new line. Lines that begin with # are comments. From a line
# `RUN@COMMAND` on that command, words of a shell's, is the one that must fail, if nothing is taken out before succeed.
#
# Environment: MUTATE_ONLY, a regular expression: lines to run; MUTATE_NINJA, what builds instead of `ninja`; MUTATE_LOG,
# a folder that keeps what each run said.
# Exit status: 0 if each was found, 1 if any survived.
set -euo pipefail

die() {
	echo "mutate: $*" >&2
	exit 2
}

[ $# -ge 4 ] && [ "$3" = -- ] || die "usage: mutate.sh LIST TARGETS -- COMMAND..."
list=$(realpath "$1")
targets=$2
shift 3
[ -n "${VALE_BUILD:-}" ] || die "VALE_BUILD is not set"
tree=$(realpath "$(dirname "$0")/..")
build=$(realpath --relative-to "$tree" "$VALE_BUILD")
case "$build" in
../*) die "$VALE_BUILD is not in $tree" ;;
esac

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/tree"
log=${MUTATE_LOG:-$copy/log}
mkdir -p "$log"
# only this build folder, and with its times, so that nothing is built twice
tar -C "$tree" --exclude-vcs --exclude="./$build" --exclude='./build*' -cf - . | tar -C "$copy/tree" -xf -
cp -a "$tree/$build" "$copy/tree/$build"
export VALE_BUILD=$copy/tree/$build

# edit FILE VALUE CONDITION, or edit FILE EDIT OLD NEW
edit() {
	python3 - "$@" <<'PYTHON'
import sys
path, what = sys.argv[1:3]
old, instead = (a.replace("\\n", "\n") for a in sys.argv[3:5])
text = open(path).read()
if text.count(old) != 1:
    sys.exit(f"{path}: has {text.count(old)} times: {old}")
new = instead if what == "EDIT" else f"({what} {'&&' if what == '0' else '||'} ({old}))"
open(path, "w").write(text.replace(old, new))
PYTHON
}

make() {
	# shellcheck disable=SC2086
	${MUTATE_NINJA:-ninja} -C "$VALE_BUILD" $targets >"$log/build" 2>&1 || {
		tail -n 20 "$log/build" >&2
		die "does not build"
	}
}

# passes COMMAND...: with nothing taken out.
passes() {
	"$@" >"$log/0" 2>&1 </dev/null || {
		tail -n 20 "$log/0" >&2
		die "it fails with nothing taken out: $*"
	}
	echo "passes with nothing taken out: $*"
}

cd "$copy/tree"
make
nb=0 survived=0 tried=
while IFS=@ read -r what file old new; do
	[[ -n $what && $what != \#* ]] || continue
	if [ "$what" = RUN ]; then
		set -- bash -c "$file"
		tried=
		continue
	fi
	[[ "$what@$file@$old" =~ ${MUTATE_ONLY:-.} ]] || continue
	[ -n "$tried" ] || passes "$@"
	tried=1
	nb=$((nb + 1))
	cp "$file" "$copy/before"
	edit "$file" "$what" "$old" "$new" || die "cannot edit"
	make
	if "$@" >"$log/$nb" 2>&1 </dev/null; then
		survived=$((survived + 1))
		echo "SURVIVED $file: $old"
	else
		echo "found $file: $old: $(grep -m1 FAILED "$log/$nb" || tail -n 1 "$log/$nb")"
	fi
	cp "$copy/before" "$file"
done <"$list"
make
echo "$nb taken out, $survived not found"
[ "$survived" = 0 ]
