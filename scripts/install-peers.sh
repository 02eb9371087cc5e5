#!/usr/bin/env bash
# Installs the real programs that test/real/ and bench/ compare Vigie with, on a Debian 12 machine (root).
# Debian 12's own packages are installed by apt with their services kept off; newer releases of some of
# them (trixie, sid) are only unpacked beside the system, into .cache/peers/<suite>/, never installed over it.
# Usage: scripts/install-peers.sh [--no-chromium]
set -euo pipefail
cd "$(dirname "$0")/.."
peers="${VIGIE_PEERS_DIR:-$PWD/.cache/peers}"
mkdir -p "$peers"
export DEBIAN_FRONTEND=noninteractive

base=(prometheus prometheus-alertmanager prometheus-node-exporter victoria-metrics redis-server haproxy nginx
  etcd-server postgresql prometheus-postgres-exporter prometheus-redis-exporter prometheus-nginx-exporter
  prometheus-blackbox-exporter prometheus-elasticsearch-exporter jsonnet python3 ca-certificates openssl
  protobuf-compiler)
[ "${1:-}" = --no-chromium ] || base+=(chromium fonts-dejavu-core)

missing=()
for p in "${base[@]}"; do dpkg -s "$p" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$p"); done
if [ "${#missing[@]}" -gt 0 ]; then
  # a package must not start its service on this machine
  if [ ! -e /usr/sbin/policy-rc.d ]; then printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; fi
  apt-get -qq update || true
  apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# newer releases: the machine's own Debian source with another suite, in an apt state of its own
apt_root="$peers/apt"
source_uri() { { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true; } | grep -E '^(URIs:|deb )' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ' || true; }
uri="${VIGIE_DEBIAN_URI:-$(source_uri)}"
fetch() { # suite package...
  local suite=$1; shift
  local out="$peers/$suite" todo=()
  for p in "$@"; do [ -e "$out/.have-$p" ] || todo+=("$p"); done
  [ "${#todo[@]}" -gt 0 ] || return 0
  mkdir -p "$out" "$apt_root/$suite/lists/partial" "$apt_root/$suite/cache/archives/partial" "$apt_root/$suite/debs"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$uri" "$suite" >"$apt_root/$suite/sources.list"
  local opt=(-o Dir::Etc::sourcelist="$apt_root/$suite/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$apt_root/$suite/lists" -o Dir::Cache="$apt_root/$suite/cache" -o APT::Sandbox::User=root)
  # the keyring of an older Debian may lack the key of the newest release
  apt-get -qq "${opt[@]}" update || { opt+=(-o Acquire::AllowInsecureRepositories=true -o APT::Get::AllowUnauthenticated=true); apt-get -qq "${opt[@]}" update; }
  for p in "${todo[@]}"; do
    (cd "$apt_root/$suite/debs" && apt-get -qq "${opt[@]}" download "$p")
    dpkg -x "$(ls "$apt_root/$suite/debs/${p}"_*.deb | tail -n 1)" "$out"
    touch "$out/.have-$p"
  done
}
fetch trixie prometheus
fetch sid prometheus prometheus-alertmanager victoria-metrics
rm -rf "$apt_root"

# an add-on that users install themselves; its install script would fetch libraries for graphics cards from elsewhere
onnx=1.30.0
if [ "$(cat "$peers/onnx/.have" 2>/dev/null || true)" != "$onnx" ]; then
  rm -rf "$peers/onnx" && mkdir -p "$peers/onnx"
  npm install --prefix "$peers/onnx" --ignore-scripts --no-audit --no-fund --loglevel=error "onnxruntime-node@$onnx" >/dev/null
  # only this machine's own libraries are of use here
  find "$peers/onnx/node_modules/onnxruntime-node/bin" -mindepth 2 -maxdepth 2 -type d ! -name "$(uname -s | tr '[:upper:]' '[:lower:]')" -exec rm -rf {} +
  echo "$onnx" >"$peers/onnx/.have"
fi
