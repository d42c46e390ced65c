#!/bin/sh
# Ends the OpenCode server with this process id when it no longer reacts, so that the container's restart policy replaces it:
# Docker marks a container that hangs and leaves it so. A server is slow for several seconds under load, and that is no
# failure: each of these checks waits 8 s for an answer.
set -eu

pid=$1
failures=0
while sleep 5; do
  kill -0 "$pid" 2>/dev/null || exit 0
  if opencode-health 2>/dev/null; then
    failures=0
    continue
  fi
  failures=$((failures + 1))
  if [ "$failures" -ge 6 ]; then
    echo "the OpenCode server did not answer $failures checks in a row: it is ended, to be started again" >&2
    kill -KILL "$pid"
    exit 0
  fi
done
