"""wrk, and rounds that alternate: other processes of the machine make every
absolute figure noisy, but both sides of a ratio alike."""

import os
import re
import statistics
import subprocess
import sys

from client import Failure

CONNECTIONS = 32
THREADS = 2
GRACE = 30              # seconds for wrk beyond its time
BENCH = os.path.dirname(os.path.abspath(__file__))
MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


def note(text):
    print("# " + text, file=sys.stderr, flush=True)


def wrk_command(url, seconds, token, script, args):
    command = ["wrk", "-t%d" % THREADS, "-c%d" % CONNECTIONS,
               "-d%d" % seconds, "--latency",
               "-H", "Authorization: Bearer " + token]

    if script:
        command += ["-s", os.path.join(BENCH, script)]

    return command + [url, "--", *args]


def wrk(url, seconds, token, script=None, args=()):
    """Requests per second, and the 99th percentile of their times in ms."""
    out = subprocess.run(wrk_command(url, seconds, token, script, args),
                         check=True, stdout=subprocess.PIPE, text=True,
                         timeout=seconds + GRACE).stdout

    bad = re.search(r"Non-2xx or 3xx responses: .*|Socket errors: .*", out)
    if bad:
        raise Failure("wrk %s: %s" % (url, bad[0]))

    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\n", out)

    return float(rate[1]), float(p99[1]) * MS[p99[2]]


def alternate(name, rounds, ours, theirs):
    """The median of ours() / theirs() over ROUNDS; who is first changes."""
    ratios = []

    for i in range(rounds):
        if i % 2 == 0:
            a = ours()
            b = theirs()
        else:
            b = theirs()
            a = ours()

        ratios.append(a / b)
        note("%s, round %d: %.4g to %.4g" % (name, i + 1, a, b))

    return statistics.median(ratios)
