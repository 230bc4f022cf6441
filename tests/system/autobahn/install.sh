#!/bin/sh
# Install the Autobahn|Testsuite into the directory given. It runs under Python 2.7 alone: one on
# the PATH, pyenv's, or the one that PYTHON2 names. PYTHON (3) makes the environment. A C compiler
# is needed.
set -eu
target=$1
here=$(cd "$(dirname "$0")" && pwd)
pyenv="${PYENV_ROOT:-$HOME/.pyenv}/versions/2.7.18/bin/python2.7"

usable() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' >/dev/null 2>&1; }

if ! usable "${PYTHON2:-python2.7}" && ! usable "$pyenv" && command -v pyenv >/dev/null 2>&1; then
  pyenv install --skip-existing 2.7.18
fi
for python2 in "${PYTHON2:-python2.7}" "$pyenv" ''; do
  if [ -z "$python2" ]; then
    echo 'The Autobahn|Testsuite needs Python 2.7: pyenv install 2.7.18, or PYTHON2=/path/to/it' >&2
    exit 1
  fi
  if usable "$python2"; then break; fi
done

rm -rf "$target"
mkdir -p "$target"
"${PYTHON:-python3}" -m venv "$target/maker"
"$target/maker/bin/python" -m pip install --quiet --disable-pip-version-check 'virtualenv==20.21.1'
"$target/maker/bin/virtualenv" --quiet --python "$python2" "$target/venv"
"$target/venv/bin/python" -W ignore -m pip install --quiet --disable-pip-version-check \
  --no-python-version-warning --requirement "$here/requirements.txt"
"$target/venv/bin/wstest" --autobahnversion
