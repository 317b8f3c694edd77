"""What Dragonfly's scheduler and its peers answer where a script does not say
otherwise, as the real ones were seen to."""

import hashlib
import re
import time
import uuid
from urllib.parse import parse_qsl, quote_plus, urlsplit, urlunsplit

import grpc

import dragonfly_wire as wire

SCOPES = ("single_seed_peer", "all_seed_peers", "all_peers")

# what the validation of the real scheduler lets through

RANGES = {
    "piece_length": (4194304, 67108864),
    "percentage": (1, 100),
    "count": (1, 200),
    "concurrent_task_count": (1, 100),
    "concurrent_layer_count": (1, 100),
    "concurrent_peer_count": (1, 1000),
}

# what a peer says of a file where nobody has said how long it is
STARTED = {"started": {"content_length": 8, "pieces": 1}}
PIECE = {"piece": {"number": 0, "length": 8}}


class Refused(Exception):
    """A call ends with this status."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Scheduler:
    SERVICE = "scheduler.v2.Scheduler"
    METHODS = {name: name + "Request" for name in
               ("ListHosts", "PreheatImage", "PreheatFile", "StatImage",
                "StatFile")}

    def __init__(self, address):
        pass

    def fields(self, request):
        return request

    def behaviour(self, script, method, fields):
        name = {"L": "list_hosts", "P": "preheat", "S": "stat"}[method[0]]
        of_url = script.get("urls", {}).get(fields.get("url"), {})

        return of_url.get(name, script.get(name))

    def replies(self, script, method, fields, behaviour):
        if method != "ListHosts":
            validate(method, fields)

        real = {"ListHosts": self.hosts, "StatImage": self.image,
                "StatFile": self.file}.get(method)

        return messages(behaviour, {}, lambda: [
            real(script, fields, behaviour) if real else b""])

    def succeeded(self, method, fields):
        pass

    def hosts(self, script, fields, _):
        wanted = fields.get("type")

        return wire.encode("ListHostsResponse", {
            "hosts": [host for host in script.get("hosts", [])
                      if wanted in (None, host.get("type", 0))]})

    def image(self, _, fields, behaviour):
        return wire.encode("StatImageResponse", {
            "image": {"layers": [{"url": url}
                                 for url in behaviour.get("layers", [])]},
            "peers": held(behaviour, "cached_layers")})

    def file(self, _, fields, behaviour):
        return wire.encode("StatFileResponse", {
            "peers": held(behaviour, "cached_files")})


def held(behaviour, name):
    """Who has what, with a list of this name for each peer."""
    peers = []

    for peer in behaviour.get("peers", []):
        files = [{"url": layer["url"], "is_finished":
                  bool(layer["finished"]) if "finished" in layer else None}
                 for layer in peer.get("layers", [])]
        peers.append({"ip": peer.get("ip"), "hostname": peer.get("hostname"),
                      name: files})

    return peers


def validate(method, fields):
    faults = []

    if not urlsplit(fields.get("url", "")).scheme:
        faults.append("Url: value must be absolute")

    if method.startswith("Preheat") and fields.get("scope") not in SCOPES:
        faults.append("Scope: value does not match regex pattern \"^(%s)$\""
                      % "|".join(SCOPES))

    for name, (least, most) in RANGES.items():
        value = fields.get(name, 0)
        if value and not least <= value <= most:
            faults.append("%s: value must be inside range [%d, %d]"
                          % (name.title().replace("_", ""), least, most))

    if fields.get("timeout", 1) <= 0:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT,
                      "context deadline exceeded")

    if faults:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT,
                      "invalid %sRequest.%s" % (method, faults[0]))


class Peer:
    SERVICE = "dfdaemon.v2.DfdaemonUpload"
    METHODS = {"DownloadTask": "DownloadTaskRequest",
               "StatLocalTask": "StatLocalTaskRequest",
               "DeleteTask": "DeleteTaskRequest"}

    def __init__(self, address):
        self.ip = address.rpartition(":")[0].strip("[]")
        self.held = set()
        self.taken = 0

    def fields(self, request):
        """Those of the download itself."""
        outer = {key: value for key, value in request.items()
                 if key != "download"}

        return {**outer, **request.get("download", {})}

    def behaviour(self, script, method, fields):
        given = script.get("holds") or []
        self.held |= set(given[self.taken:])
        self.taken = len(given)

        if method == "StatLocalTask":
            return script.get("stat_local")
        if method == "DeleteTask":
            return script.get("delete_task")

        return script.get("urls", {}).get(fields.get("url"),
                                          script.get("default"))

    def replies(self, script, method, fields, behaviour):
        if method == "StatLocalTask":
            return self.stat(fields, behaviour)
        if method == "DeleteTask":
            return self.delete(fields, behaviour)

        if not fields:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "missing download")

        if not urlsplit(fields.get("url", "")).scheme:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT,
                          "ParseError cause: relative URL without a base")

        task = task_id(fields)

        # a peer that holds a task asks nobody, and has nothing to tell

        if task not in self.held:
            authorize(script, fields)

        host = script.get("host_id", self.ip + "-peer")
        ids = {"host_id": host, "task_id": task,
               "peer_id": "%s-%s" % (host, uuid.uuid4())}

        return messages(behaviour, ids, lambda: [] if task in self.held else [
            message(event, ids) for event in (STARTED, PIECE)])

    def stat(self, fields, behaviour):
        """Only looked at when the call has waited."""
        task = fields.get("task_id", "")

        if behaviour.get("status"):
            return

        if task not in self.held:
            raise Refused(grpc.StatusCode.NOT_FOUND,
                          "task %s not found" % task)

        now = {"seconds": int(time.time())}

        yield wire.encode("StatLocalTaskResponse", {
            "task_id": task, "content_length": 8, "created_at": now,
            "updated_at": now, "finished_at": now})

    def delete(self, fields, behaviour):
        """The real one ends with INTERNAL where its scheduler cannot be told,
        and has deleted the task all the same; "keeps": it has not."""
        task = fields.get("task_id", "")

        if behaviour.get("status") and not behaviour.get("keeps"):
            self.held.discard(task)
        if behaviour.get("status"):
            return

        if task not in self.held:
            raise Refused(grpc.StatusCode.INTERNAL,
                          "task %s not found" % task)

        if not behaviour.get("keeps"):
            self.held.discard(task)

        yield wire.encode("Empty", {})

    def succeeded(self, method, fields):
        if method == "DownloadTask":
            self.held.add(task_id(fields))


def authorize(script, fields):
    headers = {name.lower(): value for name, value
               in fields.get("request_header", {}).items()}

    for name, value in script.get("requires_header", {}).items():
        if headers.get(name.lower()) != value:
            raise Refused(grpc.StatusCode.INTERNAL,
                          "backend error: "
                          + script.get("refuses_with", "401 Unauthorized"))


def task_id(fields):
    blob = re.search(r"/v2/.+/blobs/sha256:([0-9a-f]{64})$",
                     urlsplit(fields["url"]).path)

    if fields.get("enable_task_id_based_blob_digest") and blob:
        return blob[1]

    length = fields.get("piece_length")
    text = "".join((final_url(fields), fields.get("tag", ""),
                    fields.get("application", ""),
                    "" if length is None else "%d" % length, "STANDARD"))

    return hashlib.sha256(text.encode()).hexdigest()


def final_url(fields):
    """A URL as a task id has it, where it has no dots and capitals that would
    have to go: without the filtered parameters, and the others as a form
    would send them."""
    url = urlsplit(fields["url"])
    query = "&".join(
        "%s=%s" % (form(name), form(value)) for name, value
        in parse_qsl(url.query, keep_blank_values=True)
        if name not in fields.get("filtered_query_params", ()))

    text = urlunsplit(url._replace(query=query))

    return text[:-1] if url.path == "/" and text.endswith("/") else text


def form(text):
    return quote_plus(text, safe="*").replace("~", "%7E")


# Messages of a script

def messages(behaviour, ids, real):
    """What is sent, in order: bytes, and what to wait for in between. A script
    that names no messages gets the real ones, but for errors."""
    if not (behaviour.get("status") or behaviour.get("die")
            or {"messages", "raw", "big"} & behaviour.keys()):
        return real()

    out = [message(event, ids) for event in behaviour.get("messages", [])]

    if "raw" in behaviour:
        out.append(bytes.fromhex(behaviour["raw"]))
    if "big" in behaviour:
        out.append(wire.padding(int(behaviour["big"])))

    return out


def message(event, ids):
    if "started" in event:
        return response(ids, "download_task_started_response",
                        started(event["started"]))
    if "piece" in event:
        return response(ids, "download_piece_finished_response",
                        {"piece": piece(event["piece"])})
    if "raw" in event:
        return bytes.fromhex(event["raw"])
    if "big" in event:
        return wire.padding(int(event["big"]))
    if event.keys() <= {"wait_for", "before"}:
        return event

    raise ValueError("no such event: %s" % event)


def response(ids, name, value):
    return wire.encode("DownloadTaskResponse", {**ids, name: value})


def started(event):
    length, count = int(event["content_length"]), int(event.get("pieces", 0))
    size = -(-length // count) if count else 0
    pieces = [{"number": i, "offset": i * size,
               "length": min(size, length - i * size), "created_at": now()}
              for i in range(count)]

    return {"content_length": length, "pieces": pieces,
            "response_header": {"content-length": str(length)}}


def piece(event):
    number, length = int(event.get("number", 0)), int(event["length"])
    parent = event.get("parent")

    return {"number": number, "parent_id": parent, "offset": number * length,
            "length": length, "digest": "crc32:1033477201",
            "traffic_type": 1 if parent else 0, "cost": 0.001,
            "created_at": now()}


def now():
    return {"seconds": int(time.time()), "nanos": 1}
