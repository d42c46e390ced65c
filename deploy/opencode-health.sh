#!/bin/sh
# Exits 0 when the OpenCode server in this container answers. A request sent in the moment before the server is ready is never
# answered, hence several short tries. The password goes in through stdin, not an argument list.
set -eu

password=${OPENCODE_SERVER_PASSWORD:-$(cat /run/switchyard/opencode/password)}
for limit in 1 2 5; do
  printf 'user = "opencode:%s"\n' "$password" |
    curl --config - --fail --silent --show-error --max-time "$limit" --output /dev/null http://127.0.0.1:4096/global/health &&
    exit 0
done
exit 1
