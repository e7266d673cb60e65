#!/usr/bin/env bash
# Installs the system packages that the pipeline needs if it may; otherwise prints the exact command and stops.
# Debian and Ubuntu on x86-64.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin  # ldconfig lies there, which is often not on a user's PATH
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
# Debian and Ubuntu also name them clang-14, ld.lld-18, … . grep reads the whole list: closing the pipe early counts as a failure.
need_versioned() { compgen -c "$1" | grep -E "^$1(-[0-9]+)?\$" >/dev/null || missing+=("$2"); }

need python3 python3
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
# Releases whose default Java is too old for Android's tools.
case "$( . /etc/os-release 2>/dev/null; echo "${VERSION_CODENAME:-}")" in
  bullseye | focal | jammy) need javac openjdk-17-jdk-headless ;;
  *) need javac default-jdk-headless ;;
esac
need mvn maven
need_versioned clang clang
need_versioned ld.lld lld
need aapt2 aapt
need apksigner apksigner
# LiteRT-LM loads the Vulkan loader even when it runs on the CPU.
ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 || missing+=(libvulkan1)

[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "error: missing system packages: ${missing[*]} (Debian names); install them with your package manager" >&2
  exit 2
elif [ "$(id -u)" -eq 0 ]; then
  echo "Installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Maven's own Java is not needed when there is one already.
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  echo "Installing ${missing[*]}"
  sudo apt-get update -qq
  sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "error: system packages are missing; run this command, then run make again:" >&2
  echo "  sudo sh -c '$install'" >&2
  exit 2
fi
