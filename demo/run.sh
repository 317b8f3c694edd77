#!/bin/bash
#
# run.sh: the demonstration's servers in the foreground, until Ctrl-C. Their
# addresses are in build/run/env for scripts.

set -euo pipefail

. "$(dirname "$0")/lib.sh"

# one variable for a script to source: NAME VALUE
variable() {
    printf '%s=%q\n' "$1" "$2"
}

env_write() {
    {
        variable DFP_URL         "$url"
        variable DFP_TOKEN       "$token"
        variable DFP_ADMIN_KEY   "$admin_key"
        variable DFP_REGISTRY    "$registry"
        variable DFP_FRONT       "$url"
        variable DFP_IMAGE       "$image"
        variable DFP_NGINX_PID   "$nginx_pid"
        variable DFP_NGINX_CONF  "$dir/nginx.conf"
        variable DFP_ERROR_LOG   "$dir/error.log"
        variable DFP_REDIS_PORT  "$redis_port"
        variable DFP_REDIS_PID   "$redis_pid"
    } > "$dir/env.new"

    # scripts wait for the file: it appears once, whole

    mv "$dir/env.new" "$dir/env"
}

umask 077
servers_start "$top/build/run"
trap 'rm -f "$dir/env"; servers_stop' EXIT
trap 'exit 0' INT TERM
image_push
token_create
env_write

say "Open API     $url/oapi/v1/jobs"
say "console      $url/console/"
say "token        $token"
say "admin key    $admin_key"
say "registry     $registry"
say "front        $url (what clients pull through)"
say "image        $image"
say "error log    $dir/error.log"
say "variables    . $dir/env"
say
say "Ctrl-C stops all of it."

# until a signal comes; what is stopped and started by hand meanwhile does not
# take the others with it

wait
