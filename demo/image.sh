#!/bin/bash
#
# image.sh DIR: an image as an OCI layout in DIR, under the tag 1.0.
#
# An index of two platforms, three layers each, of which the first is shared:
# 12 MB in all. The bytes look random, so that nothing compresses them away,
# and are the same each time.

set -euo pipefail
shopt -s inherit_errexit

dir=$1
blobs=$dir/blobs/sha256
layer_mb=(4 3 1)
iv=00000000000000000000000000000000
epoch=1970-01-01T00:00:00Z

manifest_type=application/vnd.oci.image.manifest.v1+json
index_type=application/vnd.oci.image.index.v1+json
config_type=application/vnd.oci.image.config.v1+json
layer_type=application/vnd.oci.image.layer.v1.tar+gzip

rm -rf "$dir"
mkdir -p "$blobs"

# the digest of a file, as the name of a blob: FILE
digest() {
    sha256sum "$1" | cut -d ' ' -f 1
}

# puts a file among the blobs and prints its descriptor: FILE TYPE
add_blob() {
    local sum size

    sum=$(digest "$1")
    size=$(stat -c %s "$1")
    mv "$1" "$blobs/$sum"
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%d}' \
        "$2" "$sum" "$size"
}

# makes DIR/layer.tar, of one file: NAME MB; NAME decides on the bytes
make_layer() {
    local key

    key=$(printf '%s' "$1" | sha256sum | cut -d ' ' -f 1)
    mkdir -p "$dir/root/opt"
    head -c "$2"M /dev/zero \
        | openssl enc -aes-256-ctr -K "$key" -iv "$iv" > "$dir/root/opt/$1"
    tar --create --file "$dir/layer.tar" --directory "$dir/root" \
        --sort=name --mtime="$epoch" --mode=u=rwX,go=rX \
        --owner=0 --group=0 --numeric-owner .
    rm -r "$dir/root"
}

# adds an image and prints its descriptor for the index: ARCHITECTURE
add_image() {
    local arch=$1 layers=() diffs=() config i name

    for i in 0 1 2; do
        name=base
        [ "$i" -eq 0 ] || name=layer-$i-$arch

        make_layer "$name" "${layer_mb[i]}"
        diffs+=("\"sha256:$(digest "$dir/layer.tar")\"")
        gzip -n -1 < "$dir/layer.tar" > "$dir/layer.gz"
        layers+=("$(add_blob "$dir/layer.gz" "$layer_type")")
        rm "$dir/layer.tar"
    done

    printf '{"created":"%s","architecture":"%s","os":"linux",' \
        "$epoch" "$arch" > "$dir/json"
    printf '"config":{},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
        "$(IFS=,; echo "${diffs[*]}")" >> "$dir/json"
    config=$(add_blob "$dir/json" "$config_type")

    printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' \
        "$manifest_type" "$config" "$(IFS=,; echo "${layers[*]}")" \
        > "$dir/json"

    add_blob "$dir/json" "$manifest_type" \
        | jq -c --arg arch "$arch" \
              '. + {platform: {os: "linux", architecture: $arch}}'
}

amd64=$(add_image amd64)
arm64=$(add_image arm64)

printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s,%s]}' \
    "$index_type" "$amd64" "$arm64" > "$dir/json"

add_blob "$dir/json" "$index_type" \
    | jq -c '. + {annotations: {"org.opencontainers.image.ref.name": "1.0"}}
             | {schemaVersion: 2, manifests: [.]}' > "$dir/index.json"

echo '{"imageLayoutVersion":"1.0.0"}' > "$dir/oci-layout"
