#!/usr/bin/env bash
# Creates .venv with exactly the packages in requirements.lock (versions and hashes), using uv.
set -euo pipefail

if command -v uv >/dev/null 2>&1; then
  uv=uv
else
  # uv is an ordinary Python package; a small environment of its own leaves the system's Python untouched.
  # python -m pip: the first line of the script pip would not survive every character in the path of this folder.
  [ -x .venv-uv/bin/uv ] || { python3 -m venv .venv-uv && .venv-uv/bin/python -m pip install --quiet 'uv>=0.9'; }
  uv=.venv-uv/bin/uv
fi

# A suitable interpreter on this machine if there is one; otherwise uv downloads one.
[ -x .venv/bin/python ] || "$uv" venv --quiet --python '>=3.11,<3.13' .venv
"$uv" pip sync --quiet --require-hashes requirements.lock
"$uv" pip install --quiet --no-deps --editable .
