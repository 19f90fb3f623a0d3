#!/bin/bash
set -euo pipefail
image=registry.example/recard@sha256:1111111111111111111111111111111111111111111111111111111111111111
echo "docker $*" >> "$HUB/calls"
case "$*" in
  "pull --quiet $image") ;;
  "create $image") echo made-up-container ;;
  "cp made-up-container:/usr/local/bin/recard "*) cp "$SERVED" "$3" ;;
  "rm made-up-container") ;;
  *) exit 9 ;;
esac
