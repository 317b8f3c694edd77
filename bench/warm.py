"""Bytes warmed, and what that costs."""

import hashlib
import json
import os
import statistics
import subprocess
import time

import load

LAYERS = 20
LAYER_BYTES = 50 * 1024 * 1024
ROUNDS = 5
PARALLEL = 8


def warm_ratio(s):
    urls = [s.file("/warm/%d" % i, LAYER_BYTES, i + 1) for i in range(LAYERS)]

    def seconds(work):
        s.empty_cache()
        start = time.monotonic()
        work()
        return time.monotonic() - start

    def ours():
        s.ended(s.post(type="file", urls=urls,
                       concurrent_task_count=PARALLEL), pause=0.01)

    def theirs():
        command = ["curl", "-s", "--no-progress-meter", "--parallel", "--parallel-immediate",
                   "--parallel-max", str(PARALLEL)]
        for url in urls:
            command += ["-o", "/dev/null", url.replace(s.origin, s.url)]
        subprocess.run(command, check=True, timeout=300,
                       stderr=subprocess.DEVNULL)

    # the files are in memory for both
    for url in urls:
        subprocess.run(["cat", s.dir + "/files" + url[len(s.origin):]],
                       stdout=subprocess.DEVNULL, check=True)

    ratio = load.ratio(lambda: 1 / seconds(ours), lambda: 1 / seconds(theirs),
                       ROUNDS)

    load.figure("warm_ratio", "%.2f" % ratio,
                "of %d curls, %d x %d MB" % (PARALLEL, LAYERS,
                                             LAYER_BYTES >> 20), ">= 0.9")


def success_lag_ms(s):
    """From the last file's rename into the cache to SUCCESS in a GET."""
    lags = []

    for i in range(11):
        job = s.post(type="file", url=s.file("/lag/%d" % i, 20 << 20, i + 1))
        s.ended(job, pause=0)
        seen = time.time()
        lags.append((seen - newest(s.dir + "/cache")) * 1000)

    load.figure("success_lag_ms", "%.1f" % statistics.median(lags), "ms",
                "< 50")


def newest(folder):
    """When the last file was put into its place: its inode's change time."""
    return max(os.stat(os.path.join(path, name)).st_ctime
               for path, _, names in os.walk(folder) for name in names)


def memory_growth_mb(s):
    images = [image(s, i) for i in range(100)]
    before = memory(s)

    jobs = [s.post(type="image", url=url) for url in images]
    peak = 0

    while s.unfinished():
        peak = max(peak, memory(s))
        time.sleep(0.05)

    for job in jobs:
        s.ended(job)

    load.figure("memory_growth_mb", "%.1f" % ((max(peak, memory(s)) - before)
                / 1024), "MB, the largest worker", "< 20")


def memory(s):
    """The resident memory of the largest worker, in KB."""
    sizes = []
    for pid in s.workers():
        for line in open("/proc/%d/status" % pid):
            if line.startswith("VmRSS:"):
                sizes.append(int(line.split()[1]))
    return max(sizes)


def blob(s, name, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    path = "%s/files/v2/%s/blobs/%s" % (s.dir, name, digest)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return {"digest": digest, "size": len(data)}


def image(s, number):
    name = "bench/image-%d" % number
    layers = [dict(blob(s, name, b"%d %d " % (number, i) * 2000),
                   mediaType="application/vnd.oci.image.layer.v1.tar+gzip")
              for i in range(60)]
    config = dict(blob(s, name, b"{}"),
                  mediaType="application/vnd.oci.image.config.v1+json")
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": layers}).encode()

    folder = "%s/files/v2/%s/manifests" % (s.dir, name)
    os.makedirs(folder, exist_ok=True)
    for ref in ("1", "sha256:" + hashlib.sha256(manifest).hexdigest()):
        with open(folder + "/" + ref, "wb") as f:
            f.write(manifest)

    return "%s/v2/%s/manifests/1" % (s.origin, name)
