"""What t/contract.t does with docs/openapi.yaml.

contract.py json        prints it as JSON
contract.py closed      the same, but an answer has no members that are not in it
contract.py check       reads a JSON list of exchanges and events, and prints what
                        the closed document does not say of them

An exchange has method, path, status, type (of the content), headers (their names)
and body (if that is JSON); sent is the body of the request, if that must be valid.
An event has schema (the name) and body.
"""

import json
import pathlib
import re
import sys

import jsonschema_rs
import yaml

METHODS = {"get", "head", "post", "patch", "delete", "options"}


def load():
    path = pathlib.Path(__file__).parents[2] / "docs" / "openapi.yaml"

    return yaml.safe_load(path.read_text())


def schemas_of_answers(document):
    """The schemas of contents of answers, and all that these name."""

    found, seen = [], set()

    def walk(node, inside):
        if isinstance(node, list):
            for value in node:
                walk(value, inside)

        elif isinstance(node, dict):
            target = node.get("$ref", "")

            if target.startswith("#/components/") and target not in seen:
                seen.add(target)
                walk(resolve(document, target), inside)

            if inside:
                found.append(node)

            for key, value in node.items():
                walk(value, inside or key == "schema")

    for path in document["paths"].values():
        for method in METHODS & path.keys():
            for answer in path[method]["responses"].values():
                if "$ref" in answer:
                    answer = resolve(document, answer["$ref"])

                walk(answer.get("content", {}), False)

    # an event's data are not the content of an answer
    walk({"schema": document["components"]["schemas"]["JobProgressEvent"]}, False)

    return found


def resolve(document, target):
    node = document

    for name in target.removeprefix("#/").split("/"):
        node = node[name]

    return node


def close(document):
    for schema in schemas_of_answers(document):
        if "properties" in schema and "type" in schema:
            schema.setdefault("additionalProperties", False)


def violations(document, schema, value):
    whole = {**schema, "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)

    for error in validator.iter_errors(value):
        yield f"{'.'.join(str(p) for p in error.instance_path)}: {error.message}"


def find(document, path):
    """A path without variables counts first."""

    for template in sorted(document["paths"], key=lambda name: "{" in name):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))

        if re.fullmatch(pattern, path.split("?")[0]):
            return document["paths"][template]

    return {}


def check(document, exchange):
    if "schema" in exchange:
        schema = document["components"]["schemas"][exchange["schema"]]
        yield from violations(document, schema, exchange["body"])
        return

    operation = find(document, exchange["path"]).get(exchange["method"].lower())

    if operation is None:
        yield "the document has no such operation"
        return

    if "sent" in exchange:
        content = operation["requestBody"]["content"]["application/json"]
        yield from violations(document, content["schema"], exchange["sent"])

    answer = operation["responses"].get(str(exchange["status"]))

    if answer is None:
        yield "the document does not have this status"
        return

    if "$ref" in answer:
        answer = resolve(document, answer["$ref"])

    yield from check_headers(document, answer, exchange["headers"])

    content = answer.get("content", {})
    kind = (exchange.get("type") or "").split(";")[0]

    if exchange["method"] == "HEAD":
        return

    if kind not in content:
        if kind or content:
            yield f"the type is {kind!r}"

    elif kind == "application/json":
        schema = content[kind]["schema"]
        yield from violations(document, schema, exchange.get("body"))


def check_headers(document, answer, names):
    for name, header in answer.get("headers", {}).items():
        if "$ref" in header:
            header = resolve(document, header["$ref"])

        if header.get("required") and name.lower() not in names:
            yield f"{name} is missing"


def main(command):
    document = load()

    if command != "json":
        close(document)

    if command != "check":
        json.dump(document, sys.stdout)
        return

    for exchange in json.load(sys.stdin):
        for text in check(document, exchange):
            print(exchange.get("method", "event"),
                  exchange.get("path", exchange.get("schema")),
                  exchange.get("status", ""), text[:300])


main(sys.argv[1])
