"""The Open API over one connection that is kept open."""

import http.client
import json
import time

TIMEOUT = 30            # seconds for one answer
JOB_SECONDS = 120       # for a job to end


class Failure(Exception):
    """What keeps a figure from being measured."""


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port,
                                                     timeout=TIMEOUT)
        self.token = None

    def close(self):
        """The next request opens it again."""
        self.connection.close()

    def request(self, method, path, body=None, key=None):
        """The bytes of a 200."""
        headers = {"Authorization": "Bearer " + (key or self.token)}

        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"

        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()

        if answer.status != 200:
            raise Failure("%s %s: %d %s" % (method, path, answer.status,
                                            text.decode(errors="replace")))
        return text

    def create_token(self, admin_key):
        text = self.request("POST", "/api/v1/personal-access-tokens",
                            {"name": "bench", "scopes": ["job"],
                             "expired_at": "2037-01-01T00:00:00Z"}, admin_key)
        self.token = json.loads(text)["token"]

    def post(self, **args):
        """A new job's id."""
        text = self.request("POST", "/oapi/v1/jobs",
                            {"type": "preheat", "args": args})
        return json.loads(text)["id"]

    def get(self, job):
        return self.request("GET", "/oapi/v1/jobs/%d" % job)

    def ended(self, job, pause):
        """Polls every PAUSE seconds; how a job ended that has to succeed."""
        end = time.monotonic() + JOB_SECONDS

        while time.monotonic() < end:
            answer = json.loads(self.get(job))

            if answer["state"] == "SUCCESS":
                return answer
            if answer["state"] == "FAILURE":
                raise Failure("job %d: %s" % (job, answer["result"]))

            time.sleep(pause)

        raise Failure("job %d has not ended within %d s" % (job, JOB_SECONDS))
