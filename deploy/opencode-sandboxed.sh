#!/bin/sh
# Runs a command, such as `opencode serve`, whose agents run their commands in sandboxes. Says so on standard error if this
# machine cannot provide sandboxes, and fails then if TOOL_SANDBOX is required.
set -eu

# An agent cannot write here, and OpenCode installs nothing here.
export XDG_CONFIG_HOME=/opt/switchyard/config
variables=$(node /opt/switchyard/tool-sandbox/src/main.ts)
eval "$variables"
exec "$@"
