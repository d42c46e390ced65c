#!/bin/sh
# Writes down every 5 s how many bytes this container holds, for the worker, which sees another one's memory nowhere else. Without what
# the kernel would give back: the page cache that nobody uses. Both places are arguments for its test alone.
set -eu

cgroup=${1:-/sys/fs/cgroup}
file=${2:-/run/switchyard/report/memory}
[ -w "${file%/*}" ] || exit 0

if [ -r "$cgroup/memory.current" ]; then
  used=$cgroup/memory.current stat=$cgroup/memory.stat unused=inactive_file
else
  used=$cgroup/memory/memory.usage_in_bytes stat=$cgroup/memory/memory.stat unused=total_inactive_file
fi
[ -r "$used" ] || exit 0

while :; do
  cache=$(sed -n "s/^$unused //p" "$stat")
  echo $(($(cat "$used") - ${cache:-0})) >"$file.new" && mv "$file.new" "$file"
  sleep 5
done
