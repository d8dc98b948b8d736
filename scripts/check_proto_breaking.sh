#!/usr/bin/env bash
# Fails when the protos break what main has already published.
#
# The protos on disk are compared with every earlier state of them on main, not with the last commit alone: on a fresh
# clone of main the last commit is the one under test, and a field that came with one commit and went with the next must
# not pass unseen. A break that is meant is accepted by a commit with the trailer
#
#     Proto-Break: <why it may break>
#
# Nothing older than the newest such commit is compared.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
buf=${BUF:-$PWD/.tools/venv/bin/buf}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The commit of main that this tree grew from: HEAD itself on main, the fork point on a branch.
main_commit() {
    local main
    for main in refs/remotes/origin/main refs/heads/main; do
        if git rev-parse --quiet --verify "$main" >/dev/null; then
            git merge-base HEAD "$main"
            return
        fi
    done
    git rev-parse HEAD
}

# Imports are other people's declarations (google.api, buf.validate): only our own packages are held.
image_of() {
    (cd "$1" && "$buf" build --path proto/dinggate --output "$2")
}

# Prints the newest commit of each earlier state of proto/, newest first, back to the last accepted break.
baselines() {
    local commit accepted tree seen=" "
    while IFS=$'\t' read -r commit accepted; do
        if tree=$(git rev-parse --quiet --verify "$commit:proto/dinggate") && [[ "$seen" != *" $tree "* ]]; then
            seen+="$tree "
            echo "$commit"
        fi
        if [ -n "$accepted" ]; then
            return
        fi
    done < <(git log --first-parent --format='%H%x09%(trailers:key=Proto-Break,valueonly,separator=%x20)' "$(main_commit)")
}

if [ "$(git rev-parse --is-shallow-repository)" = true ] && ! git fetch --quiet --unshallow; then
    echo "this clone is shallow, so main's earlier protos are not here; run: git fetch --unshallow" >&2
    exit 1
fi

image_of . "$scratch/now.binpb"
compared=0
for commit in $(baselines); do
    earlier=$scratch/$commit
    mkdir "$earlier"
    git archive "$commit" proto | tar -x -C "$earlier"
    git show "$commit:buf.yaml" >"$earlier/buf.yaml" 2>/dev/null || cp buf.yaml "$earlier/"
    if ! image_of "$earlier" "$scratch/then.binpb" 2>"$scratch/errors"; then
        echo "passed over: the protos of $(git log -1 --format='%h (%s)' "$commit") do not build, so nobody can depend on them"
        continue
    fi
    if ! "$buf" breaking "$scratch/now.binpb" --against "$scratch/then.binpb" --exclude-imports; then
        echo "the protos break what main had in $(git log -1 --format='%h (%s)' "$commit")" >&2
        echo "if that is meant, say why in the commit message: a last line \"Proto-Break: <reason>\"" >&2
        exit 1
    fi
    compared=$((compared + 1))
done
echo "protos: compatible with $compared earlier state(s) on main"
