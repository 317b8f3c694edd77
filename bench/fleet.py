"""One job of 20 blobs for a fleet of 5000 of Dragonfly's peers, and then ten jobs
for it that start at once: what the worker's memory, its other requests and Redis
make of 100,000 downloads."""

import json
import subprocess
import time

import files
import load
from client import Failure
from cluster import SERVICE, Cluster
from servers import DIR, until

FIGURES = {"fleet_seconds": ("s, 100,000 downloads", "-"),
           "fleet_memory_kb": ("KB of the worker for each peer", "-"),
           "fleet_p99_ms": ("ms of GETs of a cached file", "< 20"),
           "fleet_quiet_p99_ms": ("ms of the same without the job", "-"),
           "fleet_longest_ms": ("ms of the longest of them", "-"),
           "fleet_job_kb": ("KB of the job in Redis", "-"),
           "fleet_start_ms": ("ms of the longest GET, ten such jobs", "-"),
           "fleet_start_lists": ("calls of ListHosts of these jobs", "1"),
           "fleet_start_memory_mb": ("MB of the worker, the same", "-")}

PEERS = 5000
PINGS = 20              # other requests a second
LAYERS = 19             # and the config
TASKS = 8               # concurrent_task_count
LISTED = 1000           # results, by docs/open-api.md
JOBS = 10
OTHER = "/other/file"
START_SECONDS = 30
SECONDS = 400           # for the job, on a machine that does other things, too


def measure(servers):
    with Cluster(servers, "peers", PEERS, LAYERS) as cluster:
        files.put(OTHER, b"x" * 4000)

        yield from whole(cluster)
        yield from start(cluster)


def whole(cluster):
    """A job from its POST to its end."""
    downloads = PEERS * len(cluster.image.blobs)
    worker = cluster.worker()
    client = cluster.servers.client

    with cluster.watched(worker, OTHER, PINGS) as figures:
        begun = time.monotonic()
        number = post(cluster)
        until("the job has ended", lambda: ended(client, number), SECONDS, 0.1)
        seconds = time.monotonic() - begun

    check(client.ended(number, 0.1), downloads)

    grown, p99, longest, quiet, _ = figures

    load.note("%.0f downloads a second; 100 blobs would need %.0f s"
              % (downloads / seconds, seconds * 100 / (LAYERS + 1)))

    yield "fleet_seconds", "%.1f" % seconds
    yield "fleet_memory_kb", "%.1f" % (grown * 1024 / PEERS)
    yield "fleet_p99_ms", "%.1f" % p99
    yield "fleet_quiet_p99_ms", "%.1f" % quiet
    yield "fleet_longest_ms", "%.1f" % longest
    yield "fleet_job_kb", "%.1f" % (redis_bytes(cluster, number) / 1024)


def start(cluster):
    """Jobs that start at once, and are deleted when all of them download."""
    worker = cluster.worker()
    client = cluster.servers.client
    before = lists()

    with cluster.watched(worker, OTHER, PINGS) as figures:
        jobs = [post(cluster) for _ in range(JOBS)]

        until("all jobs download something",
              lambda: all(progress(client, job) for job in jobs),
              START_SECONDS)
        listed = lists() - before

        for job in jobs:
            client.request("DELETE", "/oapi/v1/jobs/%d" % job)

    yield "fleet_start_ms", "%.1f" % figures[2]
    yield "fleet_start_lists", "%d" % listed
    yield "fleet_start_memory_mb", "%.1f" % figures[0]


def ended(client, number):
    return json.loads(client.get(number))["state"] != "PENDING"


def post(cluster):
    return cluster.servers.client.post(
        type="image", url=cluster.image.url, scope="all_peers",
        concurrent_task_count=TASKS)


def progress(client, job):
    """The downloads that are done so far."""
    states = json.loads(client.get(job))["result"]["job_states"][0]
    return sum(part.get("downloads_done", 0)
               for part in states.get("progress") or ())


def check(job, downloads):
    """All downloads are counted, and the first ones are listed."""
    results = job["result"]["job_states"][0]["results"][0]
    listed = len(results["success_tasks"])

    if listed != LISTED or results["success_tasks_omitted"] != downloads - LISTED:
        raise Failure("of %d downloads %d are listed, and %d are not"
                      % (downloads, listed, results["success_tasks_omitted"]))


def lists():
    """How often ListHosts was called so far."""
    with open(DIR + "/scheduler.log") as f:
        return sum(line.startswith(SERVICE + "ListHosts") for line in f)


def redis_bytes(cluster, number):
    out = subprocess.run(
        ["redis-cli", "-p", str(cluster.servers.ports["redis"]), "memory",
         "usage", "dfpreheat:job:%d" % number, "samples", "0"],
        check=True, stdout=subprocess.PIPE, text=True, timeout=10).stdout

    return int(out)
