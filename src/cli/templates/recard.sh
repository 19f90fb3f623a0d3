#!/bin/sh
# recard in any pipeline or from cron, written by `recard init`. Its argument:
#
#   check   checks the manifests; needs no portal and no secret
#   plan    reads only, and writes recard-plan.json, plan.md for a comment and plan.html for a browser;
#           exits with 4 if a guard blocks the plan
#   apply   executes the reviewed recard-plan.json, and nothing else
#   drift   reads only; exits with 2 if a card differs from the manifests
#
@@SETUP@@
#
# plan and drift use RECARD_READ_WEBHOOK_URL_FILE, apply uses RECARD_WEBHOOK_URL_FILE: files with two webhooks of the same
# user, readable only for this account. (Without _FILE, the variables contain the webhooks themselves.) Do not run two applies at
# once, and do not kill one: the lock protects only processes that share a store. Keep the folder .recard (or RECARD_STORE): it
# has the backups for an undo.
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
