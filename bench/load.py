"""wrk, and medians of alternating rounds."""

import re
import statistics
import subprocess

UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


def wrk(url, connections, seconds, headers=(), script=None):
    """Requests per second, p99 in ms, and how many were not answered 2xx."""
    command = ["wrk", "-t2", "-c%d" % connections, "-d%ds" % seconds,
               "--latency"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", script]

    out = subprocess.run(command + [url], stdout=subprocess.PIPE, text=True,
                         check=True, timeout=seconds + 60).stdout

    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", out)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)

    return rate, float(p99.group(1)) * UNITS[p99.group(2)], \
        int(bad.group(1)) if bad else 0


def ratio(ours, theirs, rounds):
    """The median of ours/theirs over so many alternating rounds."""
    return statistics.median(ours() / theirs() for _ in range(rounds))


def figure(name, value, unit, aim):
    print("bench\t%s\t%s\t%s\t%s" % (name, value, unit, aim), flush=True)
