"""How many jobs of a burst of POSTs of a cached file do not end."""

import json
import os
import signal
import subprocess
import time

import files
import load
from client import JOBS, Failure, job
from servers import DIR, until

FIGURES = {"burst_lost": ("of 10000 jobs", "0")}

POSTS = 10000
POST_SECONDS = 60       # for the burst itself
END_SECONDS = 120       # for its jobs to end
POLL = 0.02


def measure(servers):
    args = {"type": "file", "url": servers.origin + "/burst"}

    files.put("/burst", b"x" * 1000)
    servers.client.ended(servers.client.post(**args), POLL)

    start = time.monotonic()
    jobs = post(servers, json.dumps(job(**args)))
    posted = time.monotonic() - start
    lost, failed = settle(servers.client, jobs)
    ended = time.monotonic() - start

    load.note("burst_lost: %d POSTs in %.1f s, seen to have ended after "
              "%.1f s, %d of them as FAILURE"
              % (len(jobs), posted, ended, failed))

    yield "burst_lost", "%d" % lost


def post(servers, body):
    """The ids of the jobs."""
    names = ["%s/burst.%d" % (DIR, i + 1) for i in range(load.THREADS)]
    wrk = subprocess.Popen(
        load.wrk_command(servers.front + JOBS, POST_SECONDS,
                         servers.client.token, "burst.lua",
                         [body, str(POSTS // load.THREADS), DIR + "/burst"]),
        stdout=subprocess.DEVNULL)

    # its threads have an end of their own, wrk itself would go on sleeping

    try:
        until("%d POSTs are answered" % POSTS,
              lambda: all(map(os.path.exists, names)), POST_SECONDS, POLL)
    finally:
        wrk.send_signal(signal.SIGINT)
        wrk.wait()

    jobs = []

    for name in names:
        with open(name) as f:
            jobs += f.read().split()

    if len(set(jobs)) != POSTS:
        raise Failure("%d of %d POSTs were refused"
                      % (jobs.count("refused"), POSTS))

    return [int(number) for number in jobs]


def settle(client, jobs):
    """Asks for each until it has ended: how many have not, or have failed."""
    end = time.monotonic() + END_SECONDS
    failed = 0

    while jobs and time.monotonic() < end:
        pending = []

        for number in jobs:
            state = json.loads(client.get(number))["state"]
            failed += state == "FAILURE"

            if state == "PENDING":
                pending.append(number)

        jobs = pending
        time.sleep(POLL)

    return len(jobs), failed
