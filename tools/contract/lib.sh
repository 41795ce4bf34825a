# What the steps share. Sourced; `run` exports REPOSITORY, BUILT and CACHE.
# shellcheck shell=bash

TOOLS=$REPOSITORY/tools/contract
NODE_TOOLS=$CACHE/node/node_modules/.bin
PYTHON=$CACHE/venv/bin/python

export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
# What the tools keep belongs into the cache, not beside the sources.
export PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=$CACHE/hypothesis

say() { printf '%s\n' "$*" >&2; }

# Starts the built program with the built-in data, in a folder of its own, on a free port; ended with the step.
# Sets URL, and JWT_SECRET if it is not set. Passwords cost next to nothing and no rate is limited, for clients log in
# with almost every request.
serve() {
  JWT_SECRET=${JWT_SECRET:-$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')}
  SERVED=$(mktemp -d)
  # The loop below may look before the program is started.
  : >"$SERVED/out"
  (
    cd "$SERVED"
    unset "${!ROCKET_@}"
    exec env ROCKET_JWT_SECRET="$JWT_SECRET" ROCKET_PASSWORD_MEMORY=8 ROCKET_PASSWORD_ITERATIONS=1 \
      ROCKET_RATE_LIMITS=false \
      "$BUILT/release/shipyard" --port 0
  ) >"$SERVED/out" 2>"$SERVED/err" &
  SERVER=$!
  trap stop EXIT
  for _ in $(seq 100); do
    URL=$(sed -n 's/^Shipyard .* listens on //p' "$SERVED/out")
    [ -z "$URL" ] || return 0
    kill -0 "$SERVER" 2>/dev/null || break
    sleep 0.1
  done
  say "The server did not start within 10 seconds. It said:"
  cat "$SERVED/out" "$SERVED/err" >&2
  return 1
}

# Ends what `serve` started.
stop() {
  kill "$SERVER" 2>/dev/null || true
  wait "$SERVER" 2>/dev/null || true
  rm -rf "$SERVED"
  trap - EXIT
}
