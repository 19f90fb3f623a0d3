# The image has no shell, so the program is taken out of it. The digest names one content, which docker checks.
docker pull --quiet "$RECARD_IMAGE"
id=$(docker create "$RECARD_IMAGE")
docker cp "$id:/usr/local/bin/recard" "$RUNNER_TEMP/recard"
docker rm "$id" > /dev/null
echo "$RUNNER_TEMP" >> "$GITHUB_PATH"
