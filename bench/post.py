"""POST of a job of one file that is in the cache, against the same request to
`return 200` of as many bytes. The jobs run meanwhile, on the same workers."""

import json
import statistics
import time

import files
import load
from client import JOBS, job

FIGURES = {"post_ratio": ("of return 200", ">= 0.3"),
           "post_p99_ms": ("ms", "-")}

ROUNDS = 7
SECONDS = 2


def measure(servers):
    client = servers.client
    args = {"type": "file", "url": servers.origin + "/post"}

    files.put("/post", b"x" * 1000)
    drain(client, args)
    servers.set_baseline(len(client.request("POST", JOBS, job(**args))))

    tails = []

    def rate(path):
        return load.wrk(servers.front + path, SECONDS, client.token,
                        "post.lua", [json.dumps(job(**args))])

    def ours():
        posts, p99 = rate(JOBS)
        tails.append(p99)
        seconds = drain(client, args)
        load.note("the jobs of the round had ended %.1f s after its last POST"
                  % seconds)
        return posts

    yield "post_ratio", "%.2f" % load.alternate(
        "POSTs and baselines a second", ROUNDS, ours,
        lambda: rate("/baseline")[0])
    yield "post_p99_ms", "%.1f" % statistics.median(tails)


def drain(client, args):
    """Seconds until all has ended: what is posted last is run last. Nothing
    of one measurement goes on while another is made."""
    start = time.monotonic()
    client.ended(client.post(**args), 0.02)
    return time.monotonic() - start
