#!/bin/sh
# Writes down every 5 s how many bytes this container holds, for the worker, which sees another one's memory nowhere else. Without what
# the kernel would give back: the page cache that nobody uses.
set -eu

file=/run/switchyard/report/memory
[ -w "${file%/*}" ] || exit 0

if [ -r /sys/fs/cgroup/memory.current ]; then
  used=/sys/fs/cgroup/memory.current stat=/sys/fs/cgroup/memory.stat unused=inactive_file
else
  used=/sys/fs/cgroup/memory/memory.usage_in_bytes stat=/sys/fs/cgroup/memory/memory.stat unused=total_inactive_file
fi
[ -r "$used" ] || exit 0

while :; do
  cache=$(sed -n "s/^$unused //p" "$stat")
  echo $(($(cat "$used") - ${cache:-0})) >"$file.new" && mv "$file.new" "$file"
  sleep 5
done
