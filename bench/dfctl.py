"""Jobs with engine=peers against `dfctl task preheat` of the real Dragonfly, for all
peers: what each says of a 404, a slow origin and a dead peer, and when the files
are there. Where DFCTL, DFDAEMON and DRAGONFLY_SCHEDULER are the paths of the
binaries."""

import contextlib
import json
import os
import re
import subprocess
import time

import files
import load
from client import JOBS, Failure
from servers import STOP_SECONDS

BINARIES = ("DFCTL", "DFDAEMON", "DRAGONFLY_SCHEDULER")
CASES = {"files": "ten files of 8 MB", "404": "a file that is not there",
         "slow": "a file of 12 MB at 0.5 MB/s a connection",
         "dead": "a file for two peers, one of which was killed"}
FIGURES = {"%s_%s" % (who, case): (what, "-")
           for case, what in CASES.items() for who in ("dfctl", "job")}

PEERS = {"peer-2", "peer-3"}    # beside the seed
FILES = 10
FILE_BYTES = 8 * 1000 * 1000
SLOW_BYTES = 12 * 1000 * 1000   # bench/origin.conf has the rate
COMMAND_SECONDS = 60            # for a dfctl
LIMIT = {"404": 10}             # seconds until a case is given up
LONGEST = 120
POLL = 0.05


def wanted():
    return all(os.environ.get(name) for name in BINARIES)


def measure(servers):
    with lab(servers) as process:
        servers.values.update({"ENGINE": "peers", "CALLS": "512",
                               "SCHEDULER": next(process.stdout).strip()})
        servers.client.close()
        servers.stop("front")
        servers.start_nginx("front", "front-peers")

        for case in CASES:
            if case == "dead":
                print("peer-3", file=process.stdin, flush=True)
                next(process.stdout)

            for who, act in ("dfctl", dfctl), ("job", job):
                urls = prepare(servers, who, case)
                yield "%s_%s" % (who, case), act(servers, case, urls)


@contextlib.contextmanager
def lab(servers):
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "--", load.BENCH + "/lab.pl",
         str(servers.ports["redis"])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(STOP_SECONDS)


def prepare(servers, who, case):
    """URLs that nobody has asked for yet."""
    number = FILES if case == "files" else 1
    size = SLOW_BYTES if case == "slow" else FILE_BYTES
    paths = ["/%s/%s-%s-%d" % ("slow" if case == "slow" else "file", who, case,
                               i) for i in range(number)]

    if case != "404":
        for i, path in enumerate(paths):
            files.put(path, files.content(size, i))

    return [servers.origin + path for path in paths]


def dfctl(servers, case, urls):
    begun = time.monotonic()
    status = 0

    for url in urls:
        done = subprocess.run(
            [os.environ["DFCTL"], "task", "preheat", url, "--scope",
             "all_peers", "--scheduler-endpoint",
             "http://" + servers.values["SCHEDULER"]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SECONDS)
        status = status or done.returncode

    told = "exit status %d after %.2f s" % (status, time.monotonic() - begun)
    load.note("dfctl, %s: %s" % (CASES[case], plain(done.stdout)))

    return told + ", " + held(servers, case, urls, begun, lambda: True)


def plain(text):
    """One line, without colours."""
    return " ".join(re.sub("\\x1b\\[[0-9;]*m", "", text).split())


def job(servers, case, urls):
    begun = time.monotonic()
    number = servers.client.post(type="file", urls=urls, scope="all_peers")
    told = []

    def ended():
        answer = json.loads(servers.client.get(number))

        if not told and answer["state"] != "PENDING":
            told.append("%s after %.2f s" % (answer["state"],
                                             time.monotonic() - begun))
            load.note("job, %s: %s" % (CASES[case], answer["result"]
                                       ["job_states"][0].get("error")))

        return told

    where = held(servers, case, urls, begun, ended)

    return "%s, %s" % (told[0] if told else "PENDING", where)


def held(servers, case, urls, begun, ended):
    """On how many peers all files are, and since when, if that changes."""
    limit = begun + LIMIT.get(case, LONGEST)
    most, since = 0, begun

    while time.monotonic() < limit:
        over = ended()
        now = len(PEERS.intersection(*(holders(servers, url) for url in urls)))

        if now > most:
            most, since = now, time.monotonic()
        if over and most == len(PEERS) - (case == "dead"):
            break

        time.sleep(POLL)

    text = "on %d of %d peers" % (most, len(PEERS))

    return text + " after %.1f s" % (since - begun) if most else text


def holders(servers, url):
    """The names of the peers that have all of it, as they say themselves."""
    client = servers.client
    number = json.loads(client.request("POST", JOBS, {
        "type": "get_task", "args": {"url": url}}))["id"]

    while True:
        answer = json.loads(client.get(number))

        if answer["state"] != "PENDING":
            break

        time.sleep(POLL)

    for results in answer["result"]["job_states"][0].get("results") or ():
        return {peer["hostname"] for peer in results["peers"]
                if peer["IsFinished"]}

    raise Failure("get_task: %s" % answer["result"])


