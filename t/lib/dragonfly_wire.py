"""Protobuf's wire format, for those messages of Dragonfly that dfpreheat sends
and gets (dragonflyoss/api, pkg/apis/{common,scheduler,dfdaemon}/v2).

It shares nothing with the module's own codec, so that each checks the other."""

import hashlib
import struct

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# A field's kind is a scalar's or a message's name (which begins with a capital
# letter), with "*" where it is repeated, and with "?" where zero is told from
# nothing ("optional" in proto3). uint stands for uint32, uint64 and enums.

DOWNLOAD_PREHEAT = {
    1: ("url", "string"), 2: ("piece_length", "uint?"), 3: ("tag", "string?"),
    4: ("application", "string?"), 5: ("filtered_query_params", "string*"),
    6: ("header", "map"),
}

IMAGE = {
    **DOWNLOAD_PREHEAT,
    7: ("username", "string?"), 8: ("password", "string?"),
    9: ("platform", "string?"),
}

MESSAGES = {
    "Empty": {},
    "Timestamp": {1: ("seconds", "int"), 2: ("nanos", "int")},

    # common.v2

    "Host": {
        1: ("id", "string"), 2: ("type", "uint"), 3: ("hostname", "string"),
        4: ("ip", "string"), 5: ("port", "int"), 6: ("download_port", "int"),
        7: ("os", "string"), 8: ("platform", "string"),
        9: ("platform_family", "string"), 10: ("platform_version", "string"),
        11: ("kernel_version", "string"), 12: ("cpu", "CPU"),
        13: ("memory", "Memory"), 14: ("network", "Network"),
        15: ("disk", "Disk"), 16: ("build", "Build"),
        17: ("scheduler_cluster_id", "uint"), 18: ("disable_shared", "bool"),
        19: ("proxy_port", "int"), 20: ("name", "string"),
    },
    "CPU": {
        1: ("logical_count", "uint"), 2: ("physical_count", "uint"),
        3: ("percent", "double"), 4: ("process_percent", "double"),
        5: ("times", "CPUTimes"),
    },
    "CPUTimes": {1: ("user", "double"), 2: ("system", "double"),
                 3: ("idle", "double")},
    "Memory": {
        1: ("total", "uint"), 2: ("available", "uint"), 3: ("used", "uint"),
        4: ("used_percent", "double"), 5: ("process_used_percent", "double"),
        6: ("free", "uint"),
    },
    "Network": {
        1: ("tcp_connection_count", "uint"),
        2: ("upload_tcp_connection_count", "uint"),
        3: ("location", "string?"), 4: ("idc", "string?"),
        9: ("max_rx_bandwidth", "uint"), 10: ("rx_bandwidth", "uint?"),
        11: ("max_tx_bandwidth", "uint"), 12: ("tx_bandwidth", "uint?"),
    },
    "Disk": {
        1: ("total", "uint"), 2: ("free", "uint"), 3: ("used", "uint"),
        4: ("used_percent", "double"), 5: ("inodes_total", "uint"),
        6: ("inodes_used", "uint"), 7: ("inodes_free", "uint"),
        8: ("inodes_used_percent", "double"), 9: ("read_bandwidth", "uint"),
        10: ("write_bandwidth", "uint"),
    },
    "Build": {
        1: ("git_version", "string"), 2: ("git_commit", "string?"),
        3: ("go_version", "string?"), 4: ("rust_version", "string?"),
        5: ("platform", "string?"),
    },
    "Range": {1: ("start", "uint"), 2: ("length", "uint")},
    "Download": {
        1: ("url", "string"), 2: ("digest", "string?"), 3: ("range", "Range"),
        4: ("type", "uint"), 5: ("tag", "string?"),
        6: ("application", "string?"), 7: ("priority", "uint"),
        8: ("filtered_query_params", "string*"), 9: ("request_header", "map"),
        10: ("piece_length", "uint?"), 11: ("output_path", "string?"),
        12: ("timeout", "duration"), 13: ("disable_back_to_source", "bool"),
        14: ("need_back_to_source", "bool"),
        15: ("certificate_chain", "bytes*"), 16: ("prefetch", "bool"),
        19: ("is_prefetch", "bool"), 20: ("need_piece_content", "bool"),
        22: ("force_hard_link", "bool"),
        23: ("content_for_calculating_task_id", "string?"),
        24: ("remote_ip", "string?"), 25: ("concurrent_piece_count", "uint?"),
        26: ("overwrite", "bool"), 27: ("actual_piece_length", "uint?"),
        28: ("actual_content_length", "uint?"),
        29: ("actual_piece_count", "uint?"),
        30: ("enable_task_id_based_blob_digest", "bool"),
        33: ("metadata_only", "bool"),
    },
    "Piece": {
        1: ("number", "uint"), 2: ("parent_id", "string?"),
        3: ("offset", "uint"), 4: ("length", "uint"), 5: ("digest", "string"),
        6: ("content", "bytes?"), 7: ("traffic_type", "uint?"),
        8: ("cost", "duration"), 9: ("created_at", "Timestamp"),
    },

    # dfdaemon.v2

    "DownloadTaskRequest": {1: ("download", "Download")},
    "DownloadTaskResponse": {
        1: ("host_id", "string"), 2: ("task_id", "string"),
        3: ("peer_id", "string"),
        4: ("download_task_started_response", "DownloadTaskStartedResponse"),
        5: ("download_piece_finished_response",
            "DownloadPieceFinishedResponse"),
    },
    "DownloadTaskStartedResponse": {
        1: ("content_length", "uint"), 2: ("range", "Range"),
        3: ("response_header", "map"), 4: ("pieces", "Piece*"),
        5: ("is_finished", "bool"),
    },
    "DownloadPieceFinishedResponse": {1: ("piece", "Piece")},
    "DeleteTaskRequest": {1: ("task_id", "string"),
                          2: ("remote_ip", "string?")},
    "StatLocalTaskRequest": {1: ("task_id", "string"),
                             2: ("remote_ip", "string?")},
    "StatLocalTaskResponse": {
        1: ("task_id", "string"), 2: ("piece_length", "uint?"),
        3: ("content_length", "uint?"), 4: ("response_header", "map"),
        5: ("uploading_count", "uint"), 6: ("uploaded_count", "uint"),
        7: ("created_at", "Timestamp"), 8: ("updated_at", "Timestamp"),
        9: ("prefetched_at", "Timestamp"), 10: ("failed_at", "Timestamp"),
        11: ("finished_at", "Timestamp"),
    },

    # scheduler.v2

    "ListHostsRequest": {1: ("type", "uint?")},
    "ListHostsResponse": {1: ("hosts", "Host*")},
    "PreheatImageRequest": {
        **IMAGE,
        10: ("scope", "string"), 11: ("ips", "string*"),
        12: ("percentage", "uint?"), 13: ("count", "uint?"),
        14: ("concurrent_task_count", "int?"),
        15: ("concurrent_peer_count", "int?"), 16: ("timeout", "duration"),
        17: ("priority", "uint"), 18: ("certificate_chain", "bytes*"),
        19: ("insecure_skip_verify", "bool"),
        20: ("enable_task_id_based_blob_digest", "bool"),
    },
    "PreheatFileRequest": {
        **DOWNLOAD_PREHEAT,
        7: ("scope", "string"), 8: ("ips", "string*"),
        9: ("percentage", "uint?"), 10: ("count", "uint?"),
        11: ("concurrent_task_count", "int?"),
        12: ("concurrent_peer_count", "int?"), 13: ("timeout", "duration"),
        14: ("priority", "uint"), 15: ("certificate_chain", "bytes*"),
        16: ("insecure_skip_verify", "bool"), 19: ("output_path", "string?"),
    },
    "StatImageRequest": {
        **IMAGE,
        10: ("concurrent_layer_count", "int?"),
        11: ("concurrent_peer_count", "int?"), 12: ("timeout", "duration"),
        13: ("certificate_chain", "bytes*"),
        14: ("insecure_skip_verify", "bool"), 15: ("scope", "string"),
        16: ("enable_task_id_based_blob_digest", "bool"),
    },
    "StatImageResponse": {1: ("image", "Image"), 2: ("peers", "PeerImage*")},
    "Image": {1: ("layers", "File*")},
    "PeerImage": {1: ("ip", "string"), 2: ("hostname", "string"),
                  3: ("cached_layers", "File*")},
    "StatFileRequest": {
        **DOWNLOAD_PREHEAT,
        7: ("concurrent_peer_count", "int?"), 8: ("timeout", "duration"),
        9: ("certificate_chain", "bytes*"),
        10: ("insecure_skip_verify", "bool"),
    },
    "StatFileResponse": {1: ("peers", "PeerFile*")},
    "PeerFile": {1: ("ip", "string"), 2: ("hostname", "string"),
                 3: ("cached_files", "File*")},
    "File": {1: ("url", "string"), 2: ("is_finished", "bool?")},  # and Layer
}

ENTRY = {1: ("key", "string"), 2: ("value", "string")}
DURATION = MESSAGES["Timestamp"]
NANO = 10 ** 9
PADDING = 1000          # no message has so many fields


# Encoding

def encode(message, values):
    return encode_fields(MESSAGES[message], values)


def encode_fields(fields, values):
    names = {name for name, kind in fields.values()}
    if not names.issuperset(values):
        raise ValueError("no such field: %s" % sorted(set(values) - names))

    out = b""

    for number, (name, kind) in fields.items():
        value = values.get(name)

        if value is None:
            continue
        if kind == "map":
            value = [{"key": k, "value": v} for k, v in value.items()]
            kind = "*"

        for item in value if kind.endswith("*") else [value]:
            out += encode_field(number, kind, item)

    return out


def encode_field(number, kind, value):
    scalar = kind.rstrip("*?")

    if scalar == "":
        return block(number, encode_fields(ENTRY, value))
    if scalar == "duration":
        seconds, nanos = divmod(round(value * NANO), NANO)
        return block(number, encode_fields(DURATION, {"seconds": seconds,
                                                      "nanos": nanos}))
    if scalar[0].isupper():
        return block(number, encode(scalar, value))

    # proto3 does not send a zero that means nothing

    if kind == scalar and not value:
        return b""
    if scalar == "double":
        return tag(number, FIXED64) + struct.pack("<d", value)
    if scalar in ("uint", "int", "bool"):
        return tag(number, VARINT) + varint(int(value))

    return block(number, value if isinstance(value, bytes)
                 else value.encode())


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def block(number, data):
    return tag(number, BYTES) + varint(len(data)) + data


def varint(value):
    value &= 2 ** 64 - 1        # negative ones in two's complement
    out = bytearray()

    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7

    out.append(value)
    return bytes(out)


def padding(size):
    """A message of SIZE bytes, or one less, in a field that nobody knows."""
    for length in range(size, -1, -1):
        head = tag(PADDING, BYTES) + varint(length)
        if len(head) + length <= size:
            return head + bytes(length)

    return b""


# Decoding

def decode(message, data):
    """The fields that are there. What is in no list is in "unknown"."""
    return decode_fields(MESSAGES[message], data)


def decode_fields(fields, data):
    values = {}

    for number, wire_type, raw in split(data):
        if number not in fields:
            values.setdefault("unknown", []).append(number)
            continue

        name, kind = fields[number]
        value = decode_field(kind, wire_type, raw)

        if kind == "map":
            entry = decode_fields(ENTRY, value)
            values.setdefault(name, {})[entry.get("key", "")] = (
                entry.get("value", ""))
        elif kind.endswith("*"):
            values.setdefault(name, []).append(value)
        else:
            values[name] = value

    return values


def decode_field(kind, wire_type, raw):
    scalar = kind.rstrip("*?")
    wanted = {"double": FIXED64, "uint": VARINT, "int": VARINT,
              "bool": VARINT}.get(scalar, BYTES)

    if wire_type != wanted:
        raise ValueError("wire type %d of a %s" % (wire_type, scalar))
    if scalar == "string":
        return raw.decode()
    if scalar == "double":
        return struct.unpack("<d", raw)[0]
    if scalar == "bool":
        return bool(raw)
    if scalar == "int":
        return raw - 2 ** 64 if raw >= 2 ** 63 else raw
    if scalar == "duration":
        time = decode_fields(DURATION, raw)
        seconds, nanos = time.get("seconds", 0), time.get("nanos", 0)
        return seconds + nanos / NANO if nanos else seconds
    if scalar[0].isupper():
        return decode(scalar, raw)

    return raw


def split(data):
    """Number, wire type and value of each field."""
    at = 0

    while at < len(data):
        key, at = read_varint(data, at)
        number, wire_type = key >> 3, key & 7

        if number == 0:
            raise ValueError("field number 0")

        if wire_type == VARINT:
            value, at = read_varint(data, at)
        else:
            if wire_type == BYTES:
                size, at = read_varint(data, at)
            elif wire_type in (FIXED64, FIXED32):
                size = 8 if wire_type == FIXED64 else 4
            else:
                raise ValueError("wire type %d" % wire_type)

            value, at = data[at:at + size], at + size

        if at > len(data):
            raise ValueError("truncated")

        yield number, wire_type, value


def read_varint(data, at):
    value = 0

    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("truncated")

        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift

        if byte < 0x80:
            return value & 2 ** 64 - 1, at

    raise ValueError("a number of more than ten bytes")


def printable(value):
    """For JSON: of bytes (certificates) how many there are, and their hash."""
    if isinstance(value, bytes):
        return {"length": len(value),
                "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable(item) for item in value]

    return value
