#!/bin/sh
# Exits 0 when the OpenCode server in this container answers. The password goes in through stdin, not an argument list.
set -eu

password=${OPENCODE_SERVER_PASSWORD:-$(cat /run/switchyard/opencode/password)}
printf 'user = "opencode:%s"\n' "$password" |
  curl --config - --fail --silent --show-error --max-time 8 --output /dev/null http://127.0.0.1:4096/global/health
