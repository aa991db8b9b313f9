#!/usr/bin/env bash
# From a checkout on a fresh Debian 12 to a running engine under load, checked, in under five minutes.
# usage: bash loadgen/demo.sh [seconds of load, default 20] [orders per second, default 2000]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
rate=${2:-2000}
build=build/demo
data=../shared/data
packages=(build-essential cmake ninja-build pkg-config libuv1-dev libmsgpack-dev libjemalloc-dev
  liburing-dev libxxhash-dev libinih-dev libjansson-dev libcmocka-dev)
engine_pid=

step() { printf '\n== %s\n' "$*"; }

# Stop the engine by its pid whatever happens; it answers what it owes and closes its log.
finish() {
  if [ -n "$engine_pid" ] && kill -0 "$engine_pid" 2>/dev/null; then
    kill -TERM "$engine_pid"
    wait "$engine_pid" || true
  fi
}
trap finish EXIT

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
      missing+=("$package")
    fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  step "installing ${missing[*]}"
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install \
    --no-install-recommends "${missing[@]}" >/dev/null
}

build_programs() {
  step "building (release) into $build"
  if ! { cmake -G Ninja -B "$build" -DCMAKE_BUILD_TYPE=Release &&
    cmake --build "$build" --target nearshelfd nearshelf nearshelf-load; } >"$build.log" 2>&1; then
    tail -n 30 "$build.log" >&2
    exit 1
  fi
}

# Start the engine on a free port and read where it listens from its first line.
start_engine() {
  folder=$(mktemp -d "${TMPDIR:-/var/tmp}/nearshelf-demo.XXXXXX")
  step "starting nearshelfd on $folder"
  "$build/engine/nearshelfd" --dir "$folder/data" --listen 127.0.0.1:0 \
    >"$folder/ready" 2>"$folder/log" &
  engine_pid=$!
  local waited=0
  until grep -q '^ready ' "$folder/ready"; do
    if [ "$waited" -ge 600 ] || ! kill -0 "$engine_pid" 2>/dev/null; then
      echo "the engine did not start:" >&2
      cat "$folder/log" >&2
      exit 1
    fi
    waited=$((waited + 1))
    sleep 0.1
  done
  head -n 1 "$folder/ready"
  address=$(sed -n 's/^ready .*listen=\([0-9.]*:[0-9]*\).*/\1/p' "$folder/ready" | head -n 1)
}

run_load() {
  step "loading a network, then $rate orders/s for $seconds s, then the audit"
  local network=(--nodes 1000)
  if [ -r "$data/us_stores.csv" ] && [ -r "$data/us_zip.csv" ]; then
    network=(--data "$data")
    echo "network: the real stores of $data; orders go to its ZIP code areas by population"
  else
    echo "network: no $data here, so 1,000 stores are drawn from our table of ZIP areas"
  fi
  echo "generated, not real: which items lie where and how many, the orders, their times"
  "$build/loadgen/nearshelf-load" --address "$address" "${network[@]}" --items 5000 \
    --duration "$seconds" --rate "$rate" --warmup 2 --retries 0.01 --verify --engine-pid "$engine_pid" \
    --map "$build/map.svg" --json "$build/report.json" || failed=$?
}

tell_next() {
  step "done; the engine is stopped, its data is in $folder (rm -r it when you are through)"
  echo "map of what came from where: $build/map.svg    report as JSON: $build/report.json"
  echo
  echo "Start it again, everything is there:"
  echo "  $build/engine/nearshelfd --dir $folder/data --listen 127.0.0.1:7420 &"
  echo "and try:"
  echo "  $build/proto/nearshelf route --order my-1 --to 40.75,-73.99 --line SKU-0000007=2 --explain"
  echo "  $build/proto/nearshelf call stock.find '{\"items\":[{\"item\":\"SKU-0000007\"}],\"dest\":{\"lat\":34.05,\"lon\":-118.24},\"k\":3}'"
  echo "  $build/proto/nearshelf stat --watch"
}

failed=0
mkdir -p build
install_packages
build_programs
start_engine
run_load
finish
tell_next
exit "$failed"
