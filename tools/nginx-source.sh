#!/bin/bash
#
# nginx-source.sh DIR: nginx's complete sources into DIR.
#
# Debian's nginx-dev has headers only, and a sanitizer build needs all of
# nginx. The crate nginx-src carries the sources of a stable nginx; cargo
# checks what it fetches. The libraries that the crate's own code would need
# are not wanted here: empty crates stand in for them.

set -euo pipefail

crate_version=1.28.5    # nginx 1.28.3

dir=$(realpath -m "$1")
work=$dir.crate

if ! command -v cargo >/dev/null; then
    "$(dirname "$0")/deps.sh" cargo
fi

rm -rf "$work"
mkdir -p "$work"
cd "$work"

: > empty.rs

cat > Cargo.toml << END
[package]
name = "nginx-source"
version = "0.0.0"
edition = "2021"

[lib]
path = "empty.rs"

[dependencies]
nginx-src = "=$crate_version"

[patch.crates-io]
END

for crate in duct-1.0.0 flate2-1.0.0 tar-0.4.0 ureq-3.2.0; do

    name=${crate%-*}

    echo "$name = { path = \"$name\" }" >> Cargo.toml

    mkdir "$name"
    printf '[package]\nname = "%s"\nversion = "%s"\n[lib]\npath = "%s"\n' \
        "$name" "${crate#*-}" ../empty.rs > "$name/Cargo.toml"
done

# Debian 12's cargo (0.66) knows the registry's protocol of today, but only
# as a preview, which a stable cargo allows no other way.

if cargo --version | grep -Eq '^cargo 1\.6[0-7]\.'; then
    export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_SPARSE_REGISTRY=true
fi

cargo vendor --quiet vendor >/dev/null

cp vendor/nginx-src/nginx/auto/configure vendor/nginx-src/nginx/configure
rm -rf "$dir"
mv vendor/nginx-src/nginx "$dir"
rm -rf "$work"
