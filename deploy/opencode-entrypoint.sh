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
  opencode-watch $$ &
  opencode-report &
  exec opencode-sandboxed "$@"
fi

exec "$@"
