"""What is preheated: files and images at the origin."""

import hashlib
import json
import os
import shutil
import subprocess

from servers import DIR

MEDIA = "application/vnd.oci.image."
BLOCK = 1 << 20


def content(size, seed):
    """SIZE bytes that differ from those of every other seed."""
    block = hashlib.shake_128(b"%d" % seed).digest(min(size, BLOCK))
    return (block * (size // len(block) + 1))[:size]


def put(path, data):
    name = DIR + "/files" + path
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as f:
        f.write(data)


class Image:
    """An image of LAYERS layers of SIZE bytes, no two alike."""

    def __init__(self, origin, number, layers, size):
        self.path = "/v2/bench/image-%d" % number
        self.blobs = []

        config = self.blob(b'{"image":%d}' % number, "config.v1+json")
        parts = [self.blob(content(size, number * 1000 + i),
                           "layer.v1.tar+gzip") for i in range(layers)]

        manifest = json.dumps({"schemaVersion": 2,
                               "mediaType": MEDIA + "manifest.v1+json",
                               "config": config, "layers": parts}).encode()

        for reference in ("latest", digest(manifest)):
            put("%s/manifests/%s" % (self.path, reference), manifest)

        self.url = "%s%s/manifests/latest" % (origin, self.path)

    def blob(self, data, kind):
        """Puts one there; its descriptor for the manifest."""
        name = digest(data)
        path = "%s/blobs/%s" % (self.path, name)
        put(path, data)
        self.blobs.append(path)
        return {"mediaType": MEDIA + kind, "digest": name, "size": len(data)}


def skopeo(address, image, seconds):
    """Copies the image from who is at an address, http://HOST:PORT."""
    shutil.rmtree(DIR + "/copy", ignore_errors=True)
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--src-tls-verify=false",
         "docker://%s%s:latest" % (address[len("http://"):],
                                   image.path[len("/v2"):]),
         "dir:%s/copy" % DIR], check=True, timeout=seconds)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()
