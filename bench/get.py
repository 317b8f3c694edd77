"""GET of a job that has ended, against `return 200` of as many bytes."""

import files
import load
from client import JOBS

FIGURES = {"get_ratio": ("of return 200", ">= 0.6")}

ROUNDS = 7
SECONDS = 2


def measure(servers):
    files.put("/get", b"x" * 1000)
    number = servers.client.post(type="file", url=servers.origin + "/get")
    servers.client.ended(number, 0.02)

    servers.set_baseline(len(servers.client.get(number)))

    def rate(path):
        return load.wrk(servers.front + path, SECONDS,
                        servers.client.token)[0]

    yield "get_ratio", "%.2f" % load.alternate(
        "GETs and baselines a second", ROUNDS,
        lambda: rate("%s/%d" % (JOBS, number)), lambda: rate("/baseline"))
