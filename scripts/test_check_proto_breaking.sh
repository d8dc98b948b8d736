#!/usr/bin/env bash
# Tests check_proto_breaking.sh in throw-away repositories and fresh clones of them.
set -euo pipefail
cd "$(dirname "$0")/.."
export BUF=${BUF:-$PWD/.tools/venv/bin/buf}
check=$PWD/scripts/check_proto_breaking.sh
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
passed=0

# new_repository: an upstream with main, whose first commit has no proto at all.
new_repository() {
    rm -rf "$root/upstream" "$root/clone"
    git init --quiet --initial-branch=main "$root/upstream"
    cd "$root/upstream"
    echo hello >README
    commit "no proto yet"
}

# write_proto FIELD...: the one message, with these lines as its fields.
write_proto() {
    mkdir -p proto/dinggate/v1
    printf 'version: v2\nmodules:\n  - path: proto\nbreaking:\n  use: [FILE]\n' >buf.yaml
    {
        printf 'syntax = "proto3";\npackage dinggate.v1;\nmessage Group {\n'
        printf '  %s\n' "$@"
        printf '}\n'
    } >proto/dinggate/v1/group.proto
}

commit() {
    git add -A
    git commit --quiet --message "$@"
}

# expect RESULT SENTENCE WHAT: runs the check in a fresh clone of upstream (or in $where) and compares.
expect() {
    local result=pass sentence=$2
    if [ -z "${where:-}" ]; then
        rm -rf "$root/clone"
        git clone --quiet "$root/upstream" "$root/clone"
    fi
    output=$(cd "${where:-$root/clone}" && "$check" 2>&1) || result=fail
    if [ "$result" != "$1" ] || [[ "$output" != *"$sentence"* ]]; then
        printf 'FAILED: %s\nexpected %s with "%s", got %s:\n%s\n' "$3" "$1" "$sentence" "$result" "$output" >&2
        exit 1
    fi
    passed=$((passed + 1))
}

TITLE='string title = 1;' OWNER='string owner = 2;' ICON='string icon = 3;'

new_repository
write_proto "$TITLE" "$OWNER"
where=$root/upstream expect pass "0 earlier" "protos not committed yet, main without any"
commit "first protos"
expect pass "1 earlier" "a fresh clone of the commit that brought the protos"

write_proto "$TITLE" "$OWNER" "$ICON"
commit "an added field"
expect pass "2 earlier" "an addition"

write_proto "$TITLE" "$ICON"
where=$root/upstream expect fail "name \"owner\"" "a deleted field, on disk only"
commit "a deleted field"
expect fail "an added field" "a deleted field, as the last commit of a fresh clone"
git clone --quiet --depth 1 "file://$root/upstream" "$root/shallow"
where=$root/shallow expect fail "an added field" "a deleted field, in a shallow clone"
echo more >>README
commit "something else"
expect fail "an added field" "a deleted field, some commits ago"

git commit --quiet --allow-empty --message "accept it" --message "Proto-Break: nobody uses owner yet"
expect pass "1 earlier" "an accepted break"
write_proto "$ICON"
commit "another deleted field"
expect fail "accept it" "a second break after an accepted one"

new_repository
write_proto "$TITLE" "$OWNER"
commit "first protos"
write_proto "$TITLE" "$OWNER" "$ICON"
commit "field that stays for one commit only"
write_proto "$TITLE" "$OWNER"
commit "field gone again"
expect fail "stays for one commit" "an addition taken back"

new_repository
write_proto "$TITLE" "broken"
commit "protos that do not compile"
write_proto "$TITLE"
commit "protos that do"
expect pass "passed over" "an earlier state that does not build"

new_repository
write_proto "$TITLE" "$OWNER"
commit "first protos"
git checkout --quiet -b branch
write_proto "$TITLE" "$OWNER" "$ICON"
commit "a try on a branch"
write_proto "$TITLE" "$OWNER" 'int32 icon = 3;'
commit "a better one"
where=$root/upstream expect pass "1 earlier" "a branch may break its own commits"
write_proto "$TITLE"
where=$root/upstream expect fail "first protos" "a branch may not break main"

echo "$passed passed, 0 failed"
