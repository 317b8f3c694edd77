"""Jobs of engine=scheduler for 100 layers and 1000 peers: a scheduler answers each
StatImage with who has what, 12 MB of it, and this is what the worker's memory and
its other requests make of that."""

import load
from cluster import Cluster, encode

FIGURES = {"scheduler_memory_mb": ("MB of the worker", "< 64"),
           "scheduler_p99_ms": ("ms of other requests", "< 20")}

JOBS = 10               # one after the other; each asks once


def measure(servers):
    with Cluster(servers, "scheduler") as cluster:
        urls = [servers.origin + path for path in cluster.image.blobs]
        stat = encode("StatImageResponse", {
            "image": {"layers": [{"url": url} for url in urls]},
            "peers": [{"ip": peer["ip"], "hostname": peer["hostname"],
                       "cached_layers": [{"url": url, "is_finished": True}
                                         for url in urls]}
                      for peer in cluster.peers]})

        load.note("a StatImageResponse has %.1f MB" % (len(stat) / 1e6))

        cluster.answer("PreheatImage", b"")
        cluster.answer("StatImage", stat)

        with cluster.watched(cluster.worker()) as figures:
            for _ in range(JOBS):
                cluster.preheat()

        yield "scheduler_memory_mb", "%.1f" % figures[0]
        yield "scheduler_p99_ms", "%.1f" % figures[1]
