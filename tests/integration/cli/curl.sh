#!/bin/bash
set -euo pipefail
state="$HUB"; method=GET; body=""
for last in "$@"; do :; done
while [ $# -gt 0 ]; do
  case "$1" in --output) output="$2"; shift ;; --proto) test "$2" = '=https'; shift ;; --request) method="$2"; shift ;; --data-urlencode) body="${2#body@}"; shift ;; --header) test "$2" = "PRIVATE-TOKEN: made-up-token"; shift ;; esac
  shift
done
echo "$method $last" >> "$state/calls"
notes=https://gitlab.example/api/v4/projects/3/merge_requests/12/notes
case "$method $last" in
  "GET https://downloads.example/recard"*) test "$output" != /dev/null; ln -sf "$SERVED" "$output" ;;
  "GET $notes?per_page=100&sort=asc")
    separator='['
    for note in "$state"/comments/*; do
      [ -e "$note" ] || continue
      text=$(head -n 1 "$note" | sed 's/</\\u003c/g; s/>/\\u003e/g; s/"/\\"/g')
      printf '%s{"id":%s,"type":null,"body":"%s\\n{\\"id\\":5}","author":{"id":1,"username":"root"}}' "$separator" "${note##*/}" "$text"
      separator=','
    done
    if [ "$separator" = '[' ]; then printf '['; fi
    printf ']' ;;
  "POST $notes") cp "$body" "$state/comments/$(( $(ls "$state/comments" | wc -l) + 100 ))" ;;
  "PUT $notes/"*) test -e "$state/comments/${last##*/}"; cp "$body" "$state/comments/${last##*/}" ;;
  *) exit 9 ;;
esac
