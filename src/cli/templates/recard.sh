#!/bin/sh
# recard in any pipeline or from cron, written by `recard init`. One argument says what to do:
#
#   check   are the manifests right? Needs no portal and no secret.
#   plan    what would be done? Reads only; leaves recard-plan.json, plan.md for a comment and plan.html for a
#           browser. Ends with 4 if a guard blocks it.
#   apply   carries out recard-plan.json, which somebody has reviewed, and nothing else.
#   drift   what differs from the manifests? Reads only; ends with 2 if anything does.
#
@@SETUP@@
#
# plan and drift use RECARD_READ_WEBHOOK_URL_FILE, apply uses RECARD_WEBHOOK_URL_FILE: files with two webhooks of the same
# person, readable for this user alone. (Without _FILE, the variables hold the webhooks themselves.) Let no two
# applies run at once, and do not kill one: recard holds a lock for what it shares a store with. Keep the folder .recard (or
# RECARD_STORE): the backups in it are the way back.
set -eu
MANIFESTS="${MANIFESTS:-@@FOLDER@@}"
@@INSTALL@@

case "${1:-}" in
  check)
    recard validate -f "$MANIFESTS"
    ;;
  plan)
    recard plan -f "$MANIFESTS" --out recard-plan.json --output text --output markdown=plan.md --output html=plan.html
    ;;
  apply)
    recard apply recard-plan.json -f "$MANIFESTS" --lock-timeout 10m --output text --output json=report.json
    ;;
  drift)
    recard drift -f "$MANIFESTS" --output text --output markdown=drift.md
    ;;
  *)
    echo "usage: $0 check|plan|apply|drift" >&2
    exit 64
    ;;
esac
