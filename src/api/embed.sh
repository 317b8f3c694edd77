#!/bin/sh
#
# embed.sh DOCUMENT SOURCE: makes a text into the variables of ngx_dfp_document.h.
#
# The entity tag is the CRC and the length. SOURCE is left alone when nothing has
# changed, so that make has nothing to do; it is a file of its own, so that nothing
# else is compiled when the text changes.

set -eu

document=$1
source=$2
new=$source.new

trap 'rm -f "$new"' EXIT

tag=$(cksum < "$document" | tr ' ' -)

{
    echo '/* made by embed.sh: change the document instead */'
    echo
    echo '#include "ngx_dfp_document.h"'
    printf '\n\nconst char  ngx_dfp_document[] =\n'

    sed -e 's/[\\"?]/\\&/g' -e 's/.*/    "&\\n"/' "$document"

    echo '    "";'
    echo
    echo 'const size_t  ngx_dfp_document_len = sizeof(ngx_dfp_document) - 1;'
    echo
    printf 'const char  ngx_dfp_document_tag[] = "\\"%s\\"";\n' "$tag"
} > "$new"

if ! cmp -s "$new" "$source"; then
    mv -f "$new" "$source"
fi
