#!/bin/sh
# install-agents.sh [DIR]: the real programs at the versions that rigs is tested with, as
# DIR/bin/{claude,codex,gemini,opencode,ccusage} (default: target/e2e/agents). Quick when they are
# there; what is missing is fetched side by side.
set -eu

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$scripts/versions.sh"
dir=${1:-$scripts/../../target/e2e/agents}
mkdir -p "$dir/bin"
dir=$(CDPATH='' cd -- "$dir" && pwd)

case $(uname -s)-$(uname -m) in
Linux-x86_64) native=linux-x64 codex_triple=x86_64-unknown-linux-musl ;;
Linux-aarch64) native=linux-arm64 codex_triple=aarch64-unknown-linux-musl ;;
Darwin-arm64) native=darwin-arm64 codex_triple=aarch64-apple-darwin ;;
*) fail "no agent CLIs are known for $(uname -s) $(uname -m)" ;;
esac

# says PROGRAM TEXT: whether PROGRAM --version prints TEXT on a line of its own.
says() {
    [ -x "$1" ] && "$1" --version 2>/dev/null | grep -Fqx -- "$2"
}

# install NAME PACKAGE VERSION PROGRAM TEXT. The native program is linked, not npm's wrapper: a
# kill of the wrapper would leave the native one running.
install() {
    # Asking takes gemini and opencode a second each; a marker of ours written last is as good.
    if [ -x "$dir/bin/$1" ] && [ "$(cat "$dir/$1/version" 2>/dev/null)" = "$2@$3" ]; then
        return
    fi
    command -v npm >/dev/null 2>&1 || fail "npm is needed to install $2; install Node.js 20 or newer"
    # Into a folder of its own, so that a broken download never looks like an installation.
    # engine-strict=false: with a Node older than a package wants, npm would pick an older package.
    # No scripts: none of these programs needs what its package would run.
    new=$dir/$1.new
    rm -rf "$new"
    mkdir -p "$new"
    (cd "$new" && npm install --silent --no-audit --no-fund --ignore-scripts --engine-strict=false \
        ${6:-} "$2@$3" >&2) || fail "npm could not install $2@$3"
    [ -f "$new/node_modules/$4" ] || fail "$2@$3 has no $4"
    chmod +x "$new/node_modules/$4"
    rm -rf "${dir:?}/$1"
    mv "$new" "$dir/$1"
    ln -sf "../$1/node_modules/$4" "$dir/bin/$1"
    says "$dir/bin/$1" "$5" || fail "$dir/bin/$1 --version does not say: $5"
    printf '%s\n' "$2@$3" >"$dir/$1/version"
}

pids=
install claude @anthropic-ai/claude-code "$claude_version" \
    "@anthropic-ai/claude-code-$native/claude" "$claude_version (Claude Code)" &
pids="$pids $!"
install codex @openai/codex "$codex_version" \
    "@openai/codex-$native/vendor/$codex_triple/bin/codex" "codex-cli $codex_version" &
pids="$pids $!"
# Its optional packages are a key store and a terminal, of no use without a person.
install gemini @google/gemini-cli "$gemini_version" \
    @google/gemini-cli/bundle/gemini.js "$gemini_version" --omit=optional &
pids="$pids $!"
# The packages of this machine alone: their parents would bring those for older processors too.
install opencode "opencode-$native" "$opencode_version" \
    "opencode-$native/bin/opencode" "$opencode_version" &
pids="$pids $!"
install ccusage "@ccusage/ccusage-$native" "$ccusage_version" \
    "@ccusage/ccusage-$native/bin/ccusage" "ccusage $ccusage_version" &
pids="$pids $!"
failed=
for pid in $pids; do
    wait "$pid" || failed=yes
done
[ -z "$failed" ] || exit 1
printf '%s\n' "$dir/bin"
