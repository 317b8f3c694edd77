"""A page of 20 of 100,000 jobs, against GET of one of them; and what a job of
60 layers takes in Redis beyond its list of results."""

import subprocess

import files
import load
from client import JOBS

FIGURES = {
    "list_ratio": ("of GETs of one job", "-"),
    "list_total_ratio": ("of pages of 1000 jobs", "-"),
    "job_kb": ("KB in Redis of an ended job", "<= 4"),
}

ALL = 100000
FEW = 1000
PAGE = 20
LAYERS = 60
LAYER_BYTES = 1000
ROUNDS = 5
SECONDS = 2

# Copies of a job, in the lists as src/redis/lua/common.lua has them.
COPY = """
local fields = redis.call('hgetall', 'dfpreheat:job:' .. ARGV[1])
local user = redis.call('hget', 'dfpreheat:job:' .. ARGV[1], 'user')

for id = ARGV[2], ARGV[3] do
  redis.call('hset', 'dfpreheat:job:' .. id, unpack(fields))

  for _, list in ipairs({'jobs', 'jobs:SUCCESS', 'jobs:user:' .. user}) do
    redis.call('zadd', 'dfpreheat:' .. list, id, id)
  end
end
"""

# Bytes of a job, and of its results.
SIZE = """
local job = 'dfpreheat:job:' .. ARGV[1]

return {redis.call('memory', 'usage', job, 'samples', 0),
        redis.call('hstrlen', job, 'r:1')}
"""


def measure(servers):
    image = files.Image(servers.origin, 1, LAYERS, LAYER_BYTES)
    number = servers.client.post(type="image", url=image.url)
    servers.client.ended(number, 0.02)

    whole, results = map(int, script(servers, SIZE, number).split())
    load.note("job_kb: %d bytes, %d of them results" % (whole, results))

    files.put("/list", b"x" * 1000)
    number = servers.client.post(type="file", url=servers.origin + "/list")
    servers.client.ended(number, 0.02)

    def rate(path):
        return load.wrk(servers.front + JOBS + path, SECONDS,
                        servers.client.token)[0]

    def page():
        return rate("?per_page=%d" % PAGE)

    script(servers, COPY, number, number + 1, FEW)
    few = page()

    for first in range(FEW + 1, ALL, FEW):
        script(servers, COPY, number, first, first + FEW - 1)

    yield "list_ratio", "%.2f" % load.alternate(
        "pages of 20 and GETs a second", ROUNDS, page,
        lambda: rate("/%d" % number))
    yield "list_total_ratio", "%.2f" % (page() / few)
    yield "job_kb", "%.1f" % ((whole - results) / 1000)


def script(servers, text, *args):
    return subprocess.run(
        ["redis-cli", "-p", str(servers.ports["redis"]), "eval", text, "0",
         *map(str, args)],
        check=True, stdout=subprocess.PIPE, text=True).stdout
