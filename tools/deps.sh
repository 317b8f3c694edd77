#!/bin/bash
#
# deps.sh PACKAGE...: installs those of Debian's packages that are missing,
# and leaves none of their services running or enabled.
#
# Where nothing is missing nothing is done: no network, no root. Nothing is removed for
# them, such as the docker of somebody else.

set -euo pipefail

policy=/usr/sbin/policy-rc.d
install=(env DEBIAN_FRONTEND=noninteractive
         apt-get install -y -qq --no-install-recommends --no-remove)
missing=()
new_units=()

for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)

    if [ "$status" != installed ]; then
        missing+=("$package")
    fi
done

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
    root=()

elif command -v sudo >/dev/null; then
    root=(sudo)

else
    echo "root (or sudo) is needed to install: ${missing[*]}" >&2
    exit 1
fi

# The packages' own scripts ask policy-rc.d before they start a service; 101
# is "no". One that is already there is put back afterwards, whatever happens.

restore() {
    if [ -e "$policy.dfpreheat" ]; then
        "${root[@]}" mv -f "$policy.dfpreheat" "$policy"
    else
        "${root[@]}" rm -f "$policy"
    fi
}

if [ -e "$policy" ] && [ ! -e "$policy.dfpreheat" ]; then
    "${root[@]}" mv "$policy" "$policy.dfpreheat"
fi

trap restore EXIT
trap 'exit 130' INT TERM

printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
"${root[@]}" chmod 755 "$policy"

echo "installing: ${missing[*]}"

services=(nginx redis-server docker-registry prometheus containerd docker podman
          podman-restart podman-auto-update)

for unit in "${services[@]/%/.service}" {docker,podman}.socket \
            podman-auto-update.timer
do
    if [ ! -e "/lib/systemd/system/$unit" ]; then
        new_units+=("$unit")
    fi
done

# with lists of packages that are missing or have aged, the first try fails

if ! "${root[@]}" "${install[@]}" "${missing[@]}" >/dev/null 2>&1; then
    "${root[@]}" apt-get update -qq
    "${root[@]}" "${install[@]}" "${missing[@]}" >/dev/null
fi

# The services that came now would be started by the next boot; those that
# were there before are the user's own.

for unit in "${new_units[@]}"; do

    [ -e "/lib/systemd/system/$unit" ] || continue

    if command -v systemctl >/dev/null; then
        "${root[@]}" systemctl --quiet disable "$unit"

    elif [ -e "/etc/init.d/${unit%.service}" ]; then
        "${root[@]}" update-rc.d "${unit%.service}" disable
    fi
done
