#!/bin/sh
#
# embed.sh DIR HEADER: writes the Lua scripts of DIR as C strings.
#
# Each NAME.lua becomes `static const char ngx_dfp_lua_NAME[]`.
# Comment lines, blank lines and leading blanks are dropped: the scripts travel
# to Redis, where nobody reads them. HEADER is left alone when nothing has
# changed, so that make has nothing to do.

set -eu

dir=$1
header=$2
new=$header.new

fail() {
    echo "embed.sh: $1" >&2
    exit 1
}

trap 'rm -f "$new"' EXIT

{
    echo '/* made by embed.sh: change the .lua files instead */'
    echo
    echo '#ifndef NGX_DFP_LUA_H'
    echo '#define NGX_DFP_LUA_H'

    for file in "$dir"/*.lua; do

        [ -f "$file" ] || continue

        name=$(basename "$file" .lua)

        case $name in
        *[!a-z0-9_]*)
            fail "$file: the name has to do for a C variable"
        esac

        if grep -q -e '\[\[' "$file"; then
            fail "$file: [[ is not understood here, neither text nor comment"
        fi

        printf '\n\nstatic const char  ngx_dfp_lua_%s[] =\n' "$name"

        sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' \
            -e '/^--/d' -e '/^$/d' \
            -e 's/[\\"?]/\\&/g' -e 's/.*/    "&\\n"/' "$file"

        echo '    "";'
    done

    printf '\n\n%s\n' '#endif /* NGX_DFP_LUA_H */'
} > "$new"

if ! cmp -s "$new" "$header"; then
    mv -f "$new" "$header"
fi
