"""cri_pull.py SOCKET IMAGE [NAME:PASSWORD]: has containerd pull an image as kubelet
does, by PullImage of CRI (runtime.v1.ImageService)."""

import sys

import grpc

SECONDS = 60


def length(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + length(n >> 7)


def field(number, value):
    return bytes([number << 3 | 2]) + length(len(value)) + value


def main(socket, image, user=None):
    request = field(1, field(1, image.encode()))

    if user:
        name, password = user.encode().split(b":", 1)
        request += field(2, field(1, name) + field(2, password))

    # no proxy for the socket
    with grpc.insecure_channel("unix:" + socket,
                               [("grpc.enable_http_proxy", 0)]) as channel:
        pull = channel.unary_unary("/runtime.v1.ImageService/PullImage")

        try:
            pull(request, timeout=SECONDS)
        except grpc.RpcError as error:
            sys.exit(error.details())


main(*sys.argv[1:])
