# Peer: Neovim itself, by sockconnect and rpcrequest.
set -eu
if ! command -v nvim >/dev/null; then
    echo "skipped: nvim is not installed"
    exit 77
fi
PEER_ADDRESS="$1:$2"
export PEER_ADDRESS
exec nvim --headless -u NONE -i NONE -n -S "$(dirname "$0")/peer_nvim.vim"
