#!/bin/bash
#
# demo.sh [DIR]: the whole way of an image through dfpreheat, from a push to a
# pull that costs the registry nothing. Files are in DIR, build/demo if not
# given. Ends with a status other than 0 where anything did not go as it says.

set -euo pipefail

. "$(dirname "$0")/lib.sh"

PULL_REQUESTS=6     # manifest by tag, manifest by digest, config, three layers
REHEARSAL_REQUESTS=12   # three manifests, the tag twice, and two bytes of each blob

step() {
    printf '\n== %s\n\n' "$*"
}

# posts a job, as docs/open-api.md describes it; sets job, its id
job_create() {
    local answer

    say "curl --location --request POST '$url/oapi/v1/jobs' \\"
    say "  --header 'Content-Type: application/json' \\"
    say "  --header 'Authorization: Bearer ${token:0:6}...' \\"
    say "  --data-raw '$1'"
    say

    answer=$(curl --silent --show-error --fail-with-body \
        --location --request POST "$url/oapi/v1/jobs" \
        --header 'Content-Type: application/json' \
        --header "Authorization: Bearer $token" \
        --data-raw "$1") || die "the job was refused: $answer"

    jq '{id, type, state,
         args: (.args | {type, url, scope, filtered_query_params, verify})}' \
        <<< "$answer"
    job=$(jq -er .id <<< "$answer") || die "no id is in the answer"
}

# polls until the job has ended
job_wait() {
    local answer state end=$((SECONDS + JOB_SECONDS))

    while :; do
        answer=$(curl --silent --show-error --fail-with-body \
            --request GET "$url/oapi/v1/jobs/$job" \
            --header "Authorization: Bearer $token") \
            || die "the job cannot be read: $answer"
        state=$(jq -r .state <<< "$answer")

        [ "$state" = PENDING ] || break
        [ "$SECONDS" -lt "$end" ] || die "the job has not ended: $answer"

        sleep 0.1
    done

    jq '{id, state, result: (.result.job_states
         | map({state, error,
                preheated: [(.results // [])[].success_tasks[]?.url],
                failed: [(.results // [])[].failure_tasks[]?]}))}' \
        <<< "$answer"

    [ "$state" = SUCCESS ] || die "the job ended as $state"

    verified=$answer
}

# what nginx was answered when it asked itself as clients do
rehearsal_show() {
    local hits misses

    jq -r '.result.job_states[].results[].verified[]
           | "\(.cache) \(.status) \(.request) \(.url)"' <<< "$verified" \
        | sed -E 's/(sha256:.{12})[0-9a-f]*/\1.../' | tee "$dir/rehearsal.log"
    say

    hits=$(grep -c '^HIT ' "$dir/rehearsal.log" || true)
    misses=$(grep -vc '^HIT ' "$dir/rehearsal.log" || true)

    say "hits: $hits, others: $misses"

    [ "$misses" -eq 0 ] || die "not everything came from the cache"
    [ "$hits" -ge "$REHEARSAL_REQUESTS" ] \
        || die "$REHEARSAL_REQUESTS hits were expected"
}

# how many manifests and blobs the registry has handed out so far
registry_count() {
    grep -Ec '"GET /v2/[^ ]+/(manifests|blobs)/' "$dir/registry.out" || true
}

# pulls through nginx, and looks at what nginx and the registry saw of it
image_pull() {
    local before after hits others

    before=$(registry_count)
    : > "$dir/front.log"

    say "skopeo copy docker://${url#http://}/library/demo:1.0 dir:pulled"
    say

    skopeo --insecure-policy --override-os linux --override-arch amd64 \
        copy --quiet --src-tls-verify=false \
        "docker://${url#http://}/library/demo:1.0" "dir:$dir/pulled" \
        || die "the pull failed"

    after=$(registry_count)

    grep -E '/(manifests|blobs)/' "$dir/front.log" > "$dir/pull.log" || true
    sed -E 's/(sha256:.{12})[0-9a-f]*/\1.../' "$dir/pull.log"
    say

    hits=$(grep -c '^HIT ' "$dir/pull.log" || true)
    others=$(grep -vc '^HIT ' "$dir/pull.log" || true)

    say "from nginx's cache: $hits, from the registry: $((after - before))"

    [ "$others" -eq 0 ] || die "$others requests were not answered by the cache"
    [ "$hits" -ge "$PULL_REQUESTS" ] || die "$PULL_REQUESTS hits were expected"
    [ "$after" -eq "$before" ] || die "the registry was asked again"
}

# nginx calls nothing worse than a warning
log_check() {
    if grep -E '\[(alert|crit|emerg)\]' "$dir/error.log" >&2; then
        die "nginx's error log has what should not be there"
    fi
}

umask 077

step "Starting Redis, a registry and nginx, each on a port of its own"
servers_start "${1:-$top/build/demo}"
say "redis     127.0.0.1:$redis_port"
say "registry  $registry"
say "nginx     $url"

step "Pushing an image of two platforms into the registry"
image_push
say "$image"

step "Creating an access token with the admin key"
token_create
say "${token:0:6}... (shown once; Redis keeps its hash)"

step "Posting a preheat job"
job_create "{\"type\": \"preheat\", \"args\": {\"type\": \"image\",\
 \"url\": \"$image\", \"filtered_query_params\": \"Expires&Signature\",\
 \"scope\": \"single_seed_peer\", \"verify\": true}}"

step "Polling it"
job_wait

step "What nginx was answered when it asked itself as a client does"
rehearsal_show

step "Pulling the image through nginx"
image_pull
log_check

step "Done: every manifest and blob came from the cache"
