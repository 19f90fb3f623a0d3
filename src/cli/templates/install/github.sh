curl --fail --silent --show-error --location --proto '=https' --output "$RUNNER_TEMP/recard" \
  "${RECARD_URL:?set the variable RECARD_URL}"
echo "${RECARD_SHA256:?set the variable RECARD_SHA256}  $RUNNER_TEMP/recard" | sha256sum --check --strict
chmod +x "$RUNNER_TEMP/recard"
echo "$RUNNER_TEMP" >> "$GITHUB_PATH"
