"""GET and POST of jobs, against `return 200` in the same nginx."""

import statistics
import time

import load

ROUNDS = 5
SECONDS = 3


def get_ratio(s):
    url = s.file("/get/blob", 100000)
    job = s.post(type="file", url=url)
    s.ended(job)

    # the same size: the baseline is restarted with a body as long as the job
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", s.port)
    c.request("GET", "/oapi/v1/jobs/%d" % job,
              headers={"Authorization": "Bearer " + s.token})
    size = len(c.getresponse().read())
    s.restart_front(baseline='default_type application/json; return 200 "%s";'
                    % ("x" * size))

    auth = ["Authorization: Bearer " + s.token]

    def ours():
        rate, _, bad = load.wrk(s.url + "/oapi/v1/jobs/%d" % job, 32, SECONDS,
                                auth)
        if bad:
            raise SystemExit("bench: %d GETs failed" % bad)
        return rate

    def theirs():
        return load.wrk(s.url + "/baseline", 32, SECONDS, auth)[0]

    load.figure("get_ratio", "%.2f" % load.ratio(ours, theirs, ROUNDS),
                "of return 200, %d bytes" % size, ">= 0.6")


def post_ratio(s):
    url = s.file("/post/blob", 1000)
    s.ended(s.post(type="file", url=url))

    script = s.dir + "/post.lua"
    with open(script, "w") as f:
        f.write('wrk.method = "POST"\n'
                'wrk.body = [[{"type":"preheat","args":{"type":"file",'
                '"url":"%s"}}]]\n'
                'wrk.headers["Authorization"] = "Bearer %s"\n'
                'wrk.headers["Content-Type"] = "application/json"\n'
                % (url, s.token))

    tail = []

    def ours():
        rate, p99, bad = load.wrk(s.url + "/oapi/v1/jobs", 32, SECONDS,
                                  script=script)
        if bad:
            raise SystemExit("bench: %d POSTs failed" % bad)
        tail.append(p99)
        drain(s)
        return rate

    def theirs():
        return load.wrk(s.url + "/baseline", 32, SECONDS)[0]

    load.figure("post_ratio", "%.2f" % load.ratio(ours, theirs, ROUNDS),
                "of return 200", ">= 0.3")
    load.figure("post_p99_ms", "%.1f" % statistics.median(tail), "ms", "-")


def drain(s):
    end = time.monotonic() + 300
    while s.unfinished() and time.monotonic() < end:
        time.sleep(0.2)


def burst_lost(s):
    url = s.file("/burst/blob", 1000)
    s.ended(s.post(type="file", url=url))

    script = s.dir + "/burst.lua"
    with open(script, "w") as f:
        f.write('wrk.method = "POST"\n'
                'wrk.body = [[{"type":"preheat","args":{"type":"file",'
                '"url":"%s"}}]]\n'
                'wrk.headers["Authorization"] = "Bearer %s"\n'
                'wrk.headers["Content-Type"] = "application/json"\n'
                % (url, s.token))

    first = int(s.redis("get", "dfpreheat:job:next")) + 1
    last = first

    while last - first < 10000:
        load.wrk(s.url + "/oapi/v1/jobs", 32, 1, script=script)
        last = int(s.redis("get", "dfpreheat:job:next"))

    drain(s)

    states = s.redis("eval", "local n = 0 for i = %d, %d do if redis.call("
                     "'HGET', 'dfpreheat:job:' .. i, 'state') ~= 'SUCCESS' "
                     "then n = n + 1 end end return n" % (first, last), "0")

    load.figure("burst_lost", states, "of %d jobs" % (last - first + 1), "0")
