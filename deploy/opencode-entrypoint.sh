#!/bin/sh
# Gives the OpenCode server its password: OPENCODE_SERVER_PASSWORD, else the one the stack made for itself.
# Beside it runs what replaces a server that hangs, and what reports its memory. Any other command (`opencode run …`, a shell) runs as it is.
set -eu

if [ "${1:-}" = opencode ] && [ "${2:-}" = serve ]; then
  file=/run/switchyard/opencode/password
  if [ -z "${OPENCODE_SERVER_PASSWORD:-}" ] && [ -r "$file" ]; then
    OPENCODE_SERVER_PASSWORD=$(cat "$file")
  fi
  if [ -z "${OPENCODE_SERVER_PASSWORD:-}" ]; then
    echo "OPENCODE_SERVER_PASSWORD is not set: the server would be open to anyone who reaches it" >&2
    exit 1
  fi
  export OPENCODE_SERVER_PASSWORD
  if [ -n "${MODEL_GATEWAY_URL:-}" ]; then
    # Variables and configuration that lead every provider to the model gateway. The keys stay there.
    setup=${TMPDIR:-/tmp}/switchyard-setup
    mkdir -p "$setup"
    for part in environment config; do
      printf 'header = "authorization: Bearer %s"\n' "$(cat "$MODEL_GATEWAY_ACCESS_FILE")" |
        curl --config - --noproxy '*' --fail --silent --show-error --retry 5 --retry-connrefused --max-time 10 \
          --output "$setup/$part" "$MODEL_GATEWAY_URL/opencode/$part"
    done
    while IFS= read -r line; do export "$line"; done <"$setup/environment"
    export OPENCODE_CONFIG="$setup/config"
    if grep -qs '"type": *"api"' "${XDG_DATA_HOME:-$HOME/.local/share}/opencode/auth.json"; then
      echo "OpenCode has a login with a key, which agents can read: set the key in .env instead, so that only the model gateway has it" >&2
    fi
  fi
  opencode-watch $$ &
  opencode-report &
  exec opencode-sandboxed "$@"
fi

exec "$@"
