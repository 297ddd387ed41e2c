#!/bin/sh
# Ask the model of the folder above this one. PYTHON names the Python that has the engine; python3 when it is not set.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
for package in "$here"/python/edgeshrink_*; do
    module=${package##*/}
done
PYTHONPATH="$here/python${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
exec "${PYTHON:-python3}" -m "$module" "$@"
