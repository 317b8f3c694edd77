#!/usr/bin/python3
"""dragonfly.py scheduler|peer ADDRESS:PORT DIR [--tls CERT KEY [CLIENT_CA]]

A stand-in for Dragonfly's scheduler or for a dfdaemon, over gRPC. It does what
DIR/script.json says, which is read anew for each call, and else what the real
ones were seen to do. It appends to DIR/calls.log (StatLocalTask, which a peer is
asked at any time, to DIR/questions.log), and puts its pid into DIR/listening
when it listens. On SIGUSR1 it leaves as one that is told to: it
takes no connection and no call any more, and goes on with those that it has.

A script of a scheduler:

    hosts       what ListHosts lists, by the names of common.v2.Host
    list_hosts, preheat, stat
                behaviours; of stat also "layers" (urls) and "peers"
                ([{"ip", "hostname", "layers": [{"url", "finished"}]}])
    urls        {url: {"preheat": ..., "stat": ...}}, instead of those above

of a peer:

    holds       ids of tasks; those that a script adds are held from then on
    stat_local  a behaviour of StatLocalTask
    delete_task of DeleteTask; "keeps": it is not deleted
    default     of DownloadTask, as is urls
    urls        {url: behaviour}
    requires_header
                {name: value}, without which a download fails with 401,
    refuses_with
                or with this status

A behaviour, or a list of which each call of a URL takes the next and those
that follow the last one ("written" in a script begins the list again):

    before      seconds to wait before anything
    wait_for    a file that has to exist before it goes on; not a second more
                than WAIT_SECONDS, nor when the client has gone
    trailers_only  no headers on their own before an error
    messages    events; without them what a real one would send
    raw         hex of one message, after them
    big         size of one message that says nothing, after them
    die         the process ends, as by SIGKILL
    status, message, details
                of the end; 0 is OK. "details" is put into
                grpc-status-details-bin as JSON, as dfdaemon does

An event is {"started": {"content_length", "pieces"}}, {"piece": {"number",
"length", "parent"}}, {"raw"}, {"big"}, {"wait_for"} or {"before"}."""

import functools
import json
import os
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

# nothing is to be left behind next to the sources
sys.dont_write_bytecode = True

import dragonfly_wire as wire                           # noqa: E402
from dragonfly_servers import Peer, Refused, Scheduler  # noqa: E402

WORKERS = 128           # calls at once: each holds a thread
WAIT_SECONDS = 60       # for a file of a test
POLL = 0.01
FOREVER = 10 ** 9       # seconds: what grpc has where there is no time-out
FLUSH_SECONDS = 0.05    # for what was sent, before the process dies

STATUS = {code.value[0]: code for code in grpc.StatusCode}


class Gone(Exception):
    """The client is not there any more."""


class Log:
    """One line of JSON for each call, and one for its end."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.calls = self.lines()       # no number twice after a restart
        self.active = 0

    def lines(self):
        try:
            with open(self.path, "rb") as f:
                return sum(1 for line in f)
        except FileNotFoundError:
            return 0

    def begin(self, line):
        with self.lock:
            self.calls += 1
            self.active += 1
            number = self.calls
            self.write({"call": number, "active": self.active, **line})

        return number

    def end(self, number, cancelled):
        with self.lock:
            self.write({"ended": number, "cancelled": cancelled})

    def leave(self):
        with self.lock:
            self.active -= 1

    def write(self, line):
        """At once, so that a reader sees whole lines."""
        with open(self.path, "ab", buffering=0) as f:
            f.write(json.dumps(line).encode() + b"\n")


class End:
    """Of a call: said by the server, or else by the client, who has gone. It
    counts as active until then, and not until the client knows: who starts
    another call by then may have known first."""

    def __init__(self, log):
        self.log = log
        self.lock = threading.Lock()
        self.said = False
        self.over = False

    def set(self):
        self.said = True
        self.leave()

    def is_set(self):
        return self.said

    def leave(self):
        with self.lock:
            first, self.over = not self.over, True
        if first:
            self.log.leave()


class Script:
    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.turns = {}

    def read(self):
        try:
            with open(self.path, "rb") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def turn(self, behaviour, *key):
        """The next one of a list."""
        if not isinstance(behaviour, list):
            return behaviour or {}

        with self.lock:
            turn = self.turns.get(key, 0)
            self.turns[key] = turn + 1

        return behaviour[min(turn, len(behaviour) - 1)]


class Service(grpc.GenericRpcHandler):
    """The methods of a server. All are streams here: one message of a stream
    is what an answer of one message is on the wire, and a script may send
    none, or two."""

    def __init__(self, server, folder):
        self.server = server
        self.script = Script(folder + "/script.json")
        self.log = Log(folder + "/calls.log")
        self.questions = Log(folder + "/questions.log")

    def service(self, handler_call_details):
        service, _, method = handler_call_details.method[1:].partition("/")

        if service != self.server.SERVICE or method not in self.server.METHODS:
            return None

        return grpc.unary_stream_rpc_method_handler(
            functools.partial(self.call, method))

    def call(self, method, data, context):
        log = self.questions if method == "StatLocalTask" else self.log
        ended = End(log)

        try:
            fields = wire.decode(self.server.METHODS[method], data)
            fault = None
        except ValueError as error:
            fields, fault = {}, str(error)

        fields = self.server.fields(fields)
        self.begin(method, fields, fault, context, ended)

        if fault:
            self.refuse(context, ended, grpc.StatusCode.INTERNAL, fault)

        try:
            script = self.script.read()
            behaviour = self.script.turn(
                self.server.behaviour(script, method, fields),
                script.get("written"), method, fields.get("url"))
            replies = self.server.replies(script, method, fields, behaviour)

            yield from play(behaviour, replies, context)
        except Refused as error:
            self.refuse(context, ended, error.code, error.args[0])
        except Gone:
            return
        except Exception:
            ended.set()         # a wrong script: grpc tells what and where
            raise

        status = behaviour.get("status", 0)

        if status:
            if "details" in behaviour:
                context.set_trailing_metadata((
                    ("grpc-status-details-bin",
                     json.dumps(behaviour["details"]).encode()),))
            self.refuse(context, ended, STATUS[status],
                        behaviour.get("message", ""))

        self.server.succeeded(method, fields)
        ended.set()

    def begin(self, method, fields, fault, context, ended):
        left = context.time_remaining()
        line = {"method": method,
                "grpc_timeout": left if left and left < FOREVER else None,
                "metadata": {k: wire.printable(v)
                             for k, v in context.invocation_metadata()},
                "client": context.peer(), **wire.printable(fields)}

        if fault:
            line["malformed"] = fault

        names = context.auth_context().get("x509_common_name")
        if names:
            line["client_certificate"] = names[0].decode()

        number = ended.log.begin(line)

        # an end that was not said here is the client's

        def callback():
            ended.leave()
            ended.log.end(number, not ended.is_set())

        if not context.add_callback(callback):
            callback()

    @staticmethod
    def refuse(context, ended, code, message):
        ended.set()
        context.abort(code, message)


def play(behaviour, replies, context):
    """The messages of a behaviour, when it is their time."""
    wait(behaviour, context)

    if not behaviour.get("trailers_only"):
        context.send_initial_metadata(())

    for reply in replies:
        if isinstance(reply, dict):
            wait(reply, context)
        else:
            yield reply

    if behaviour.get("die"):
        time.sleep(FLUSH_SECONDS)
        os._exit(1)


def wait(what, context):
    pause(time.monotonic() + what.get("before", 0), lambda: False, context)

    path = what.get("wait_for")
    if path and not pause(time.monotonic() + WAIT_SECONDS,
                          lambda: os.path.exists(path), context):
        raise Refused(grpc.StatusCode.UNKNOWN,
                      "the test has not made %s" % path)


def pause(end, condition, context):
    while True:
        if not context.is_active():
            raise Gone
        if condition():
            return True
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, POLL))


def credentials(names):
    data = []

    for name in names:
        with open(name, "rb") as f:
            data.append(f.read())

    certificate, key, *client_ca = data

    return grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=client_ca[0] if client_ca
        else None, require_client_auth=bool(client_ca))


def main(kind, address, folder, *tls):
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=WORKERS),
        options=(("grpc.so_reuseport", 0),
                 ("grpc.max_send_message_length", -1),
                 ("grpc.max_receive_message_length", -1)))

    kinds = {"scheduler": Scheduler, "peer": Peer}
    server.add_generic_rpc_handlers((Service(kinds[kind](address), folder),))

    if tls:
        server.add_secure_port(address, credentials(tls[1:]))
    else:
        server.add_insecure_port(address)

    signal.signal(signal.SIGUSR1, lambda *_: server.stop(WAIT_SECONDS))
    server.start()

    with open(folder + "/listening", "w", encoding="ascii") as f:
        f.write("%d\n" % os.getpid())

    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
