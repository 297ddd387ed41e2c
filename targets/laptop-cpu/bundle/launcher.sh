#!/bin/sh
# Ask the model of the folder above this one. PYTHON names the Python that has the engine; python3 when it is not set.
# No compiled files are left in the folder: a signed bundle stays as it was signed.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
for package in "$here"/python/edgeshrink_*; do
    module=${package##*/}
done
PYTHONPATH="$here/python${PYTHONPATH:+:$PYTHONPATH}"
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
exec "${PYTHON:-python3}" -m "$module" "$@"
