#!/bin/bash
#
# axe.sh FILE: axe-core, which finds what keeps people out of a page, into FILE.
#
# The package of PyPI carries axe.min.js; pip checks what it fetches. Nothing of it
# is installed.

set -euo pipefail

package=axe-playwright-python==0.1.8    # axe-core 4.12.1
hash=sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8

file=$(realpath -m "$1")

[ ! -s "$file" ] || exit 0

"$(dirname "$0")/deps.sh" python3-pip

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "$package --hash=$hash" > "$work/wanted"

/usr/bin/python3 -m pip download --quiet --no-deps --no-cache-dir \
    --require-hashes --only-binary :all: -r "$work/wanted" -d "$work"

/usr/bin/python3 -m zipfile -e "$work"/*.whl "$work/package"

mkdir -p "$(dirname "$file")"
mv "$work/package/axe_playwright_python/axe.min.js" "$file.$$"
mv "$file.$$" "$file"
