#!/bin/sh
# Creates the role of workers and commands, when the database is created. `recard store migrate` gives it its rights.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/worker)" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role recard_worker login password :'password';
SQL
