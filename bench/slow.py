#!/usr/bin/env python3
"""bench/slow.py FOLDER PORT SECONDS: a registry of files that takes its time.

Each request waits for so many seconds before its answer begins, as over a long
way; the answer itself does not take longer."""

import asyncio
import os
import sys

FOLDER, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCTETS = "application/octet-stream"


class NoFile(Exception):
    pass


def find(path):
    """What lies there, and its type."""
    if path == "/v2/":
        return b"{}", "application/json"

    try:
        with open(FOLDER + os.path.normpath(path), "rb") as f:
            return f.read(), MANIFEST if "/manifests/" in path else OCTETS
    except OSError as error:
        raise NoFile from error


def answer(path):
    try:
        body, kind = find(path)
        status = "200 OK"
    except NoFile:
        body, kind, status = b"{}", "application/json", "404 Not Found"

    return ("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            % (status, kind, len(body))).encode(), body


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readexactly(1)

            # skopeo tries TLS first, and would wait for an answer
            if not head.isalpha():
                break

            head += await reader.readuntil(b"\r\n\r\n")
            method, path = head.split(None, 2)[:2]

            await asyncio.sleep(SECONDS)

            start, body = answer(path.decode().split("?")[0])
            writer.write(start)
            if method != b"HEAD":
                writer.write(body)
            await writer.drain()

    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", PORT, backlog=512)

    async with server:
        await server.serve_forever()


asyncio.run(main())
