"""The servers of a benchmark: a Redis, an origin and an nginx with the module,
each on a loopback port of its own, with all files in one folder."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NGINX = os.environ.get("TEST_NGINX_BINARY", "/usr/sbin/nginx")
MODULE = os.environ.get("TEST_NGINX_LOAD_MODULES",
                        TOP + "/build/ngx_http_dfpreheat_module.so")
WAIT = 20               # seconds for a server to answer or to leave
ADMIN_KEY = "an-admin-key-for-the-benchmark"

COMMON = """
%(user)s
worker_processes %(workers)d;
pid %(dir)s/%(name)s.pid;
error_log %(dir)s/%(name)s.error.log %(level)s;
events { worker_connections 4096; }
"""

ORIGIN = COMMON + """
http {
    access_log off;
    client_body_temp_path %(dir)s/tmp/b2; proxy_temp_path %(dir)s/tmp/p2;
    fastcgi_temp_path %(dir)s/tmp/f2; uwsgi_temp_path %(dir)s/tmp/u2;
    scgi_temp_path %(dir)s/tmp/s2;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:%(origin_port)d;
        root %(dir)s/files;
        location ~ /manifests/ {
            default_type application/vnd.oci.image.manifest.v1+json;
        }
    }
}
"""

CACHE = """
            dfpreheat_origin http://127.0.0.1:%(origin_port)d;
            proxy_pass http://127.0.0.1:%(origin_port)d;
            proxy_cache blobs;
            include %(top)s/conf/dfpreheat_cache.conf;
"""

FRONT = "load_module %(module)s;\n" + COMMON + """
http {
    access_log off;
    client_body_temp_path %(dir)s/tmp/b1; proxy_temp_path %(dir)s/tmp/p1;
    fastcgi_temp_path %(dir)s/tmp/f1; uwsgi_temp_path %(dir)s/tmp/u1;
    scgi_temp_path %(dir)s/tmp/s1;
    keepalive_requests 1000000;

    proxy_cache_path %(dir)s/cache levels=1:2 keys_zone=blobs:32m
                     inactive=7d use_temp_path=off;

    dfpreheat_redis 127.0.0.1:%(redis_port)d;
    dfpreheat_admin_key %(dir)s/admin.key;
    dfpreheat_cluster 1 name=cluster-1 engine=cache;

    server {
        listen 127.0.0.1:%(port)d;

        location /oapi/ { dfpreheat on; }
        location /api/v1/personal-access-tokens { dfpreheat on; }
        location = /baseline { %(baseline)s }

        location / {""" + CACHE + """
        }
    }
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, condition, seconds=WAIT, pause=0.02):
    """Polls CONDITION until it is true; fails after so many SECONDS."""
    end = time.monotonic() + seconds

    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)

    raise SystemExit("bench: gave up after %d s: %s" % (seconds, what))


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Servers:
    def __init__(self, directory):
        self.dir = directory
        self.processes = []
        self.token = None
        self.front = None

        shutil.rmtree(directory, ignore_errors=True)
        for name in ("tmp", "cache", "files", "redis"):
            os.makedirs(os.path.join(directory, name))

        with open(directory + "/admin.key", "w") as f:
            f.write(ADMIN_KEY + "\n")
        os.chmod(directory + "/admin.key", 0o600)

        self.redis_port = free_port()
        self.origin_port = free_port()
        self.port = free_port()
        self.origin = "http://127.0.0.1:%d" % self.origin_port
        self.url = "http://127.0.0.1:%d" % self.port

    def values(self, name, workers, baseline, level):
        return {
            "top": TOP, "dir": self.dir, "name": name, "workers": workers,
            "module": MODULE, "baseline": baseline, "level": level,
            "port": self.port, "origin_port": self.origin_port,
            "redis_port": self.redis_port,
            "user": "user root;" if os.getuid() == 0 else "",
        }

    def start(self, baseline='return 200 "ok";', workers=2, level="warn"):
        self.run(["redis-server", "--port", str(self.redis_port), "--bind",
                  "127.0.0.1", "--dir", self.dir + "/redis", "--appendonly",
                  "yes", "--save", "", "--maxmemory-policy", "noeviction"],
                 self.redis_port)
        self.nginx("origin", ORIGIN, 1, "", "warn", self.origin_port)
        self.front = self.nginx("front", FRONT, workers, baseline, level,
                                self.port)
        self.token = self.create_token()

    def nginx(self, name, template, workers, baseline, level, port):
        conf = "%s/%s.conf" % (self.dir, name)

        with open(conf, "w") as f:
            f.write(template % self.values(name, workers, baseline, level))

        return self.run([NGINX, "-c", conf, "-g", "daemon off;"], port)

    def restart_front(self, **kind):
        self.stop_one(self.front)
        self.front = self.nginx("front", FRONT, kind.get("workers", 2),
                                kind.get("baseline", 'return 200 "ok";'),
                                kind.get("level", "warn"), self.port)

    def run(self, command, port):
        with open(self.dir + "/out", "a") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)

        self.processes.append(process)
        until("%s listens" % command[0], lambda: listens(port))
        return process

    def stop_one(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(WAIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.remove(process)

    def stop(self):
        for process in reversed(list(self.processes)):
            self.stop_one(process)

    def workers(self):
        """The pids of the module's workers, not of the cache processes."""
        pids = []
        path = "/proc/%d/task/%d/children" % (self.front.pid, self.front.pid)
        for pid in open(path).read().split():
            with open("/proc/%s/cmdline" % pid) as f:
                if "worker process" in f.read():
                    pids.append(int(pid))
        return pids

    def request(self, method, path, body=None, key=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        c.request(method, path, json.dumps(body) if body else None,
                  {"Authorization": "Bearer " + (key or self.token)})
        answer = c.getresponse()
        text = answer.read()
        c.close()

        if answer.status != 200:
            raise SystemExit("bench: %s %s: %d %s" % (method, path,
                                                      answer.status, text))
        return json.loads(text)

    def create_token(self):
        return self.request("POST", "/api/v1/personal-access-tokens",
                            {"name": "bench-%d" % time.time_ns(),
                             "expired_at": "2099-01-01T00:00:00Z"},
                            ADMIN_KEY)["token"]

    def post(self, **args):
        return self.request("POST", "/oapi/v1/jobs",
                            {"type": "preheat", "args": args})["id"]

    def get(self, job):
        return self.request("GET", "/oapi/v1/jobs/%d" % job)

    def ended(self, job, seconds=120, pause=0.02):
        job = until("job %d ends" % job,
                    lambda: (lambda j: j["state"] != "PENDING" and j)(
                        self.get(job)), seconds, pause)
        if job["state"] != "SUCCESS":
            raise SystemExit("bench: job %d: %s" % (job["id"],
                             job["result"]["job_states"][0]["error"]))
        return job

    def redis(self, *command):
        return subprocess.run(["redis-cli", "-p", str(self.redis_port),
                               *command], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()

    def unfinished(self):
        return int(self.redis("zcard", "dfpreheat:deadlines"))

    def empty_cache(self):
        """A cold cache is a new nginx: its zone knows what was there."""
        self.stop_one(self.front)
        shutil.rmtree(self.dir + "/cache")
        os.makedirs(self.dir + "/cache")
        self.front = self.nginx("front", FRONT, 2, 'return 200 "ok";', "warn",
                                self.port)

    def file(self, path, size, seed=1):
        """A file of the origin; its content does not matter, but is none that
        a file system could leave out."""
        name = self.dir + "/files" + path
        os.makedirs(os.path.dirname(name), exist_ok=True)
        block = (seed.to_bytes(8, "little") * 8192)[:65536]

        with open(name, "wb") as f:
            for at in range(0, size, len(block)):
                f.write(block[:min(len(block), size - at)])

        return self.origin + path
