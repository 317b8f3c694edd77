# What `make demo` and `make run` share: a Redis, a docker-registry and an
# nginx with the module, on loopback ports of their own, with all their files
# in one folder. Sourced by bash, with errexit on.
#
# TEST_NGINX_BINARY and TEST_NGINX_LOAD_MODULES, where set, name another nginx
# and module than the installed one and the one that was built for it.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
nginx=${TEST_NGINX_BINARY:-/usr/sbin/nginx}
module=${TEST_NGINX_LOAD_MODULES:-$top/build/ngx_http_dfpreheat_module.so}

START_TRIES=5       # ports to try for one server
START_SECONDS=10    # for it to answer
STOP_SECONDS=10     # for it to leave before it is killed
JOB_SECONDS=60      # for the demonstration's job to end

dir=                # set by servers_start
redis_port= redis_pid=
registry_port= registry_pid= registry=
nginx_port= nginx_pid= url=
token= admin_key= image=


say() {
    printf '%s\n' "$*"
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# a port nobody listens on, below those that the kernel hands out by itself
free_port() {
    local port

    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))

        if ! (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done

    die "no free port was found"
}

# waits until a command succeeds; fails when time is up, or when a process has
# gone: SECONDS PID COMMAND...
wait_for() {
    local end=$((SECONDS + $1)) pid=$2
    shift 2

    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ] || ! kill -0 "$pid" 2>/dev/null; then
            return 1
        fi
        sleep 0.05
    done
}

# asks a process to leave, and insists after a while: PID
stop() {
    local end=$((SECONDS + STOP_SECONDS))

    [ -n "$1" ] && kill "$1" 2>/dev/null || return 0

    while kill -0 "$1" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            kill -KILL "$1" 2>/dev/null || true
            break
        fi
        sleep 0.05
    done
}

# starts a server on a free port, another one where that turns out to be
# taken: NAME runs NAME_configure, NAME_run and NAME_answers, and its port and
# its process end up in NAME_port and NAME_pid
start() {
    local name=$1 pid try

    for ((try = 0; try < START_TRIES; try++)); do
        printf -v "${name}_port" '%d' "$(free_port)"

        "${name}_configure"
        "${name}_run" >> "$dir/$name.out" 2>&1 &
        pid=$!

        if wait_for "$START_SECONDS" "$pid" "${name}_answers" "$pid"; then
            printf -v "${name}_pid" '%d' "$pid"
            return
        fi

        stop "$pid"
    done

    tail -n 20 "$dir/$name.out" >&2
    die "$name does not start, see $dir/$name.out"
}

redis_configure() {
    cat > "$dir/redis.conf" << END
bind 127.0.0.1
port $redis_port
dir $dir/redis
pidfile $dir/redis.pid
appendonly yes
save ""
maxmemory-policy noeviction
END
}

redis_run() {
    exec redis-server "$dir/redis.conf"
}

redis_answers() {
    redis-cli -p "$redis_port" info server | grep -q "^process_id:$1"
}

registry_configure() {
    registry=http://127.0.0.1:$registry_port

    cat > "$dir/registry.yml" << END
version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: $dir/registry
http:
  addr: 127.0.0.1:$registry_port
END
}

# its standard output is an access log
registry_run() {
    exec docker-registry serve "$dir/registry.yml"
}

registry_answers() {
    curl -sf "$registry/v2/"
}

nginx_configure() {
    local user=

    # workers of root's nginx are to reach this folder, wherever it is

    if [ "$(id -u)" -eq 0 ]; then
        user="user              root;"
    fi

    url=http://127.0.0.1:$nginx_port

    sed -e "s|@MODULE@|$module|" -e "s|@USER@|$user|" -e "s|@DIR@|$dir|" \
        -e "s|@CONF@|$top/conf|" -e "s|@URL@|$url|" -e "s|@REGISTRY@|$registry|" \
        -e "s|@REDIS_PORT@|$redis_port|" -e "s|@NGINX_PORT@|$nginx_port|" \
        "$top/demo/nginx.conf" > "$dir/nginx.conf"

    sed "s|/usr/share/dfpreheat|$top|" \
        "$top/conf/dfpreheat_console.conf" > "$dir/console.conf"
}

nginx_run() {
    exec "$nginx" -e "$dir/error.log" -c "$dir/nginx.conf" -g 'daemon off;'
}

nginx_answers() {
    curl -sf "$url/healthy"
}

# starts all three, in a folder that is emptied first: DIR
servers_start() {
    dir=$1

    if kill -0 "$(cat "$dir/nginx.pid" 2>/dev/null)" 2>/dev/null; then
        die "already running, see $dir/nginx.pid"
    fi

    rm -rf "$dir"
    mkdir -p "$dir"/{redis,registry,tmp,cache}
    dir=$(cd "$dir" && pwd)

    trap servers_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    (umask 077; openssl rand -hex 32 > "$dir/dfpreheat.key"
                openssl rand -hex 32 > "$dir/admin.key")
    admin_key=$(cat "$dir/admin.key")

    start redis
    start registry
    start nginx
}

# stops them; one that was started again meanwhile has left its pid in a file
servers_stop() {
    local pid

    trap '' INT TERM

    for pid in "$nginx_pid" "$(cat "$dir/nginx.pid" 2>/dev/null)" \
               "$redis_pid" "$(cat "$dir/redis.pid" 2>/dev/null)" \
               "$registry_pid"
    do
        stop "$pid"
    done
}

# pushes the demonstration's image into the registry
image_push() {
    "$top/demo/image.sh" "$dir/image"

    skopeo --insecure-policy copy --quiet --all --dest-tls-verify=false \
        "oci:$dir/image:1.0" "docker://${registry#http://}/library/demo:1.0" \
        || die "the image could not be pushed"

    image=$registry/v2/library/demo/manifests/1.0
}

# creates an access token
token_create() {
    local answer

    answer=$(curl -sS --fail-with-body -X POST \
        -H "Authorization: Bearer $admin_key" \
        -H 'Content-Type: application/json' \
        -d '{"name": "demo", "bio": "made by the demonstration",
             "scopes": ["job"], "expired_at": "2037-01-01T00:00:00Z"}' \
        "$url/api/v1/personal-access-tokens") \
        || die "no token was created: $answer"

    token=$(jq -er .token <<< "$answer") \
        || die "no token is in the answer: $answer"
}
