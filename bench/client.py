"""The Open API over one connection that is kept open."""

import http.client
import json
import time

JOBS = "/oapi/v1/jobs"
TIMEOUT = 30            # seconds for one answer
JOB_SECONDS = 120       # for a job to end


class Failure(Exception):
    """What keeps a figure from being measured."""


def job(**args):
    """The body of a POST."""
    return {"type": "preheat", "args": args}


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
        return json.loads(self.request("POST", JOBS, job(**args)))["id"]

    def get(self, number):
        return self.request("GET", "%s/%d" % (JOBS, number))

    def ended(self, number, pause):
        """Polls every PAUSE seconds; how a job ended that has to succeed."""
        end = time.monotonic() + JOB_SECONDS

        while time.monotonic() < end:
            answer = json.loads(self.get(number))

            if answer["state"] == "SUCCESS":
                return answer
            if answer["state"] == "FAILURE":
                raise Failure("job %d: %s" % (number, answer["result"]))

            time.sleep(pause)

        raise Failure("job %d has not ended within %d s"
                      % (number, JOB_SECONDS))
