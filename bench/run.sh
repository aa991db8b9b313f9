#!/usr/bin/env bash
# Builds release, measures everything in one run on this machine, prints the table.
#
# The picture is bench/report.html (a quick or partial run: build/release/report.html).
#
#   bash bench/run.sh [--json FILE] [--quick] [--only PART,...]     as root or with sudo
#   NEARSHELF_NO_INSTALL=1    leave the packages as they are; what is missing is skipped by name
#   NEARSHELF_DATA=FOLDER     real stores and baskets (default ../shared/data, where it exists)
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/release
packages=(build-essential cmake ninja-build pkg-config git python3 libuv1-dev libmsgpack-dev
    libjemalloc-dev liburing-dev libxxhash-dev libinih-dev libjansson-dev libcmocka-dev)
peers=(redis-server postgresql tarantool glpk-utils)

say() {
    printf '== %s\n' "$*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

# install NAME...: what is missing of them. A peer that is not to be had is skipped later by name.
install() {
    local missing=() package
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing: ${missing[*]}"
    [ -n "${updated:-}" ] || as_root apt-get -qq update || true
    updated=1
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -y \
        --no-install-recommends install "${missing[@]}" >/dev/null
}

# A package's own service must not run beside what is measured: none is started while installing.
install_peers() {
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made=1
    fi
    local package
    for package in "${peers[@]}"; do
        install "$package" || say "not to be had here: $package"
    done
    [ -z "$made" ] || as_root rm -f "$policy"
}

targets=(nearshelfd nearshelf nearshelf-load nearshelf-floor bench-peer bench_rules bench_quality
    bench_decide bench_holds bench_decode bench_append bench_apply_effects bench_roundtrip
    bench_floor_parts bench_stocked)

build_all() {
    say "building (release) into $build"
    mkdir -p "$build"
    if ! { cmake --preset release && cmake --build --preset release -j "$(nproc)" \
        --target "${targets[@]}"; } \
        >"$build/bench-build.log" 2>&1; then
        tail -n 40 "$build/bench-build.log" >&2
        exit 1
    fi
}

if [ -z "${NEARSHELF_NO_INSTALL:-}" ]; then
    install "${packages[@]}"
    install_peers
fi
build_all
data=${NEARSHELF_DATA:-../shared/data}
arguments=(--build "$build")
if [ -r "$data/us_stores.csv" ] && [ -r "$data/us_zip.csv" ]; then
    arguments+=(--data "$data")
fi
# A full run leaves the page where it is kept; a quick or partial one leaves it beside the build.
page=bench/report.html
for word in "$@"; do
    case "$word" in --quick | --only*) page=$build/report.html ;; esac
done
exec /usr/bin/python3 bench/suite/suite.py "${arguments[@]}" --report "$page" "$@"
