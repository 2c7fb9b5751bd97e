#!/usr/bin/env bash
# The floor that `understudy up` is measured against: one primary and two standbys by PostgreSQL's own programs and
# nothing else, standbys copied in parallel, through slots, with checksums, and streaming at the end.
# Usage: bare-cluster.sh BIN DIRECTORY PORT [app]; with "app" it also makes what `up` makes for applications, a role
# and its database, beside the copies as `up` does.
set -euo pipefail
bin=$1 dir=$2 port=$3 with=${4:-}
export PGUSER=postgres PGHOST=127.0.0.1 PGCONNECT_TIMEOUT=5

"$bin/initdb" -D "$dir/1" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 -k >/dev/null
cat >>"$dir/1/postgresql.conf" <<CONF
port = $port
unix_socket_directories = ''
wal_retrieve_retry_interval = 100ms
wal_keep_size = 64MB
CONF
"$bin/pg_ctl" -D "$dir/1" -l "$dir/1.log" -w start >/dev/null
copies=()
if [ "$with" = app ]; then
  (
    "$bin/psql" -p "$port" -d postgres -qc "create role app login"
    "$bin/psql" -p "$port" -d postgres -qc "create database app owner app"
  ) &
  copies+=("$!")
fi
for n in 2 3; do
  (
    "$bin/pg_basebackup" -p "$port" -D "$dir/$n" -c fast -X stream -R -C -S "standby_$n"
    echo "port = $((port + n - 1))" >>"$dir/$n/postgresql.conf"
    "$bin/pg_ctl" -D "$dir/$n" -l "$dir/$n.log" -w start >/dev/null
  ) &
  copies+=("$!")
done
for copy in "${copies[@]}"; do wait "$copy"; done
streaming() { "$bin/psql" -p "$port" -d postgres -Atc "select count(*) from pg_stat_replication where state = 'streaming'"; }
until [ "$(streaming)" = 2 ]; do sleep 0.02; done
