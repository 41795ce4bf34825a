# What `run` does before its steps: looks for what they need, installs the pinned tools, builds the program.
# shellcheck shell=bash

# At least that version, by a command that prints it.
need() {
  local name=$1 wanted=$2 why=$3 found
  shift 3
  found=$("$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)*' | head -n 1) || true
  if [ -z "$found" ] || [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    printf 'contract: %s %s or later is needed (%s); there is %s\n' \
      "$name" "$wanted" "$why" "${found:-none in the PATH}" >&2
    missing=1
  fi
}

requirements() {
  local missing=0
  need bash 4.4 "this script" bash --version
  need git 2.28 "the step spec-diff" git --version
  need cargo 1.89 "Cargo.toml" cargo --version
  need node 20.19 "Redocly CLI" node --version
  need npm 10 "Redocly CLI" npm --version
  need python3 3.11 "Schemathesis" python3 --version
  need curl 7.82 "docs/clients.md" curl --version
  need timeout 8 "GNU coreutils: every step has a limit" timeout --version
  return "$missing"
}

# Whether that folder of tools was made from these very files. Only a finished one has the mark.
is_current() {
  local folder=$1
  shift
  [ -e "$folder/made-from" ] && cat "$@" | cmp -s - "$folder/made-from"
}

# Both install what a folder pins into another one.
# The steps of an installation hang together by `&&`: errexit does not hold in a function whose status is looked at.
install_node_tools() {
  local from=$1 folder=$2
  is_current "$folder" "$from/package.json" "$from/package-lock.json" && return
  rm -rf "$folder" &&
    mkdir -p "$folder" &&
    cp "$from/package.json" "$from/package-lock.json" "$folder" &&
    limited 300 npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund &&
    cat "$from/package.json" "$from/package-lock.json" >"$folder/made-from"
}

install_python_tools() {
  local from=$1 folder=$2
  is_current "$folder" "$from/requirements.txt" && return
  rm -rf "$folder" &&
    limited 120 python3 -m venv "$folder" &&
    limited 300 "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
      --requirement "$from/requirements.txt" &&
    limited 60 "$folder/bin/python" -m pip check --disable-pip-version-check &&
    cp "$from/requirements.txt" "$folder/made-from"
}

# Debian's archive keeps a single version of Chromium, so that only its minimum can be given.
install_browser() {
  local missing=0
  find_browser || {
    export DEBIAN_FRONTEND=noninteractive
    limited 120 apt-get update -qq &&
      limited 300 apt-get install -qq --yes --no-install-recommends chromium >/dev/null &&
      find_browser
  } || return
  need Chromium 120 "the step browser" "$CHROMIUM" --version
  return "$missing"
}

# Sets CHROMIUM, if it is not set.
find_browser() {
  local name
  for name in chromium google-chrome; do
    [ -z "${CHROMIUM:-}" ] || break
    CHROMIUM=$(command -v "$name") || true
  done
  export CHROMIUM
  [ -n "$CHROMIUM" ]
}

give_up() {
  printf 'contract: %s\n' "$*" >&2
  exit 1
}

install_tools() {
  install_node_tools "$REPOSITORY/$1" "$2/node" || give_up "npm could not install the tools of $1/package-lock.json"
  install_python_tools "$REPOSITORY/$1" "$2/venv" || give_up "pip could not install the tools of $1/requirements.txt"
}

# For all steps, or only for those.
prepare() {
  printf '== Tools and program\n'
  requirements || exit 1
  BUILT=$(cd "$REPOSITORY" && cargo metadata --format-version 1 --no-deps --offline |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  CACHE=$BUILT/contract
  export BUILT CACHE
  mkdir -p "$CACHE"
  install_tools tools/contract "$CACHE"
  if is_wanted clients "$@"; then
    install_tools tools/contract/clients "$CACHE/clients"
  fi
  if is_wanted browser "$@"; then
    install_browser ||
      give_up "there is no Chromium that will do, and apt-get could not install one; set CHROMIUM to the path of Chromium or Chrome"
  fi
  limited 1800 cargo build --manifest-path "$REPOSITORY/Cargo.toml" --locked --release ||
    give_up "the program could not be built"
}
