#!/usr/bin/env bash
# The whole test suite on a fresh Debian 12: installs what is missing, builds and runs four presets.
#
#   bash tests/run.sh                as root or with sudo; about half an hour on two cores
#   bash tests/run.sh dev asan       only these presets (dev asan tsan release)
#   NEARSHELF_NO_INSTALL=1           leave the packages as they are
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    build-essential cmake ninja-build pkg-config git
    clang libclang-rt-14-dev
    libuv1-dev liburing-dev libmsgpack-dev libjemalloc-dev libxxhash-dev libinih-dev
    libjansson-dev libcmocka-dev libmpack-dev zlib1g-dev
    python3 python3-msgpack python3-pynvim neovim tzdata e2fsprogs xfsprogs strace
)
npm_packages=(neovim@5.5.0 msgpack-rpc-lite@1.0.2 @msgpack/msgpack@3.1.3)
presets=("${@:-all}")
[ "${presets[0]}" = all ] && presets=(dev asan tsan release)
results=()
failed=0

say() {
    printf '== %s\n' "$*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

is_installed() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

install_packages() {
    local missing=()
    local package
    for package in "${packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    if [ ${#missing[@]} = 0 ]; then
        return
    fi
    say "installing: ${missing[*]}"
    as_root apt-get -qq update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        install "${missing[@]}" >/dev/null
}

# Clients from npm go under build/; without them their cases are skipped by name.
install_npm() {
    if [ -d build/node_modules/neovim ] && [ -d build/node_modules/msgpack-rpc-lite ] &&
        [ -d build/node_modules/@msgpack/msgpack ]; then
        return
    fi
    mkdir -p build
    if ! npm install --prefix build --no-save --no-audit --no-fund --silent \
        "${npm_packages[@]}" >build/npm.log 2>&1; then
        say "skipped: npm clients cannot be had here (build/npm.log)"
    fi
}

# step LOG COMMAND...: quiet; on failure what failed is shown, else the log's end.
step() {
    local log="$1"
    shift
    if ! "$@" >"$log" 2>&1; then
        grep -A 20 '^FAILED' "$log" | cut -c 1-240 || tail -n 60 "$log"
        say "failed: $*"
        return 1
    fi
}

# ctest_part PRESET JOBS ARGUMENTS...: one CTest run; its closing lines are shown and kept.
ctest_part() {
    local preset="$1" jobs="$2"
    shift 2
    local log="build/$preset/ctest-$RANDOM.log"
    local code=0
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@" \
        >"$log" 2>&1 || code=$?
    if [ $code != 0 ]; then
        sed '/tests passed/,$d' "$log" | grep -v -E '^ *(Start |[0-9]+/[0-9]+ Test .* Passed)' |
            tail -n 200
    fi
    say "$preset: $*"
    sed -n '/tests passed/,$p' "$log"
    return $code
}

test_preset() {
    local preset="$1"
    case "$preset" in
    tsan)
        ctest_part tsan 2 -L 'unit|stress'
        ;;
    release)
        ctest_part release 1 -L 'sim|smoke|integration|interop|crash'
        ;;
    *) # crashes are for release, where there is most to lose; asan looks on but for mounted disks
        local code=0 later=crash
        [ "$preset" != asan ] || later=mount
        ctest_part "$preset" 2 -L 'unit|model|fuzz|sim|tidy' || code=1
        ctest_part "$preset" 1 -LE "unit|model|fuzz|sim|tidy|$later" || code=1
        return $code
        ;;
    esac
}

run_preset() {
    local preset="$1"
    mkdir -p "build/$preset"
    say "$preset: configure, build"
    step "build/$preset/configure.log" cmake --preset "$preset" &&
        step "build/$preset/build.log" cmake --build --preset "$preset" -j 2 || return 1
    if [ "$preset" = dev ]; then
        step build/dev/headers.log cmake --build --preset headers -j 2 || return 1
    fi
    say "$preset: test"
    test_preset "$preset"
}

[ -n "${NEARSHELF_NO_INSTALL:-}" ] || install_packages
install_npm
for preset in "${presets[@]}"; do
    begin=$SECONDS
    if run_preset "$preset"; then
        results+=("$preset: passed, $((SECONDS - begin)) s")
    else
        results+=("$preset: FAILED, $((SECONDS - begin)) s")
        failed=1
    fi
done
say "summary, $SECONDS s"
printf '%s\n' "${results[@]}"
exit $failed
