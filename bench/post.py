"""POST of a job of one file that is in the cache, against the same request to
`return 200` of as many bytes. The jobs run meanwhile, on the same workers."""

import json
import statistics
import time

import files
import load

FIGURES = {"post_ratio": ("of return 200", ">= 0.3"),
           "post_p99_ms": ("ms", "-")}

ROUNDS = 7
SECONDS = 2


def measure(servers):
    client = servers.client
    url = servers.origin + "/post"
    body = {"type": "preheat", "args": {"type": "file", "url": url}}

    files.put("/post", b"x" * 1000)
    client.ended(client.post(**body["args"]), 0.02)
    servers.set_baseline(len(client.request("POST", "/oapi/v1/jobs", body)))

    tails = []

    def rate(path):
        return load.wrk(servers.front + path, SECONDS, client.token,
                        "post.lua", [json.dumps(body)])

    def ours():
        posts, p99 = rate("/oapi/v1/jobs")
        tails.append(p99)
        drain(client, body)
        return posts

    yield "post_ratio", "%.2f" % load.alternate(
        "POSTs and baselines a second", ROUNDS, ours,
        lambda: rate("/baseline")[0])
    yield "post_p99_ms", "%.1f" % statistics.median(tails)


def drain(client, body):
    """What was posted last is run last: the baseline is measured on its own."""
    start = time.monotonic()
    client.ended(client.post(**body["args"]), 0.05)
    load.note("the jobs of the round had ended %.1f s after its last POST"
              % (time.monotonic() - start))
