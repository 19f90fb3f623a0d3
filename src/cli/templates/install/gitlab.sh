curl --fail --silent --show-error --location --proto '=https' --output "$CI_PROJECT_DIR/.recard-program" \
  "${RECARD_URL:?set the variable RECARD_URL}"
echo "${RECARD_SHA256:?set the variable RECARD_SHA256}  $CI_PROJECT_DIR/.recard-program" | sha256sum --check --strict
mkdir -p "$HOME/.local/bin" && mv "$CI_PROJECT_DIR/.recard-program" "$HOME/.local/bin/recard"
chmod +x "$HOME/.local/bin/recard" && export PATH="$HOME/.local/bin:$PATH"
