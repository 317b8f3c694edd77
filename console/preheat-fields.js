// The fields of a job: names and limits are those of docs/open-api.md.

import { field } from "./form.js";

const SECONDS = { s: 1, m: 60, min: 60, h: 3600, d: 86400 };
const BYTES = { "": 1, b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 };

/* How the text of a field becomes its value in JSON, and the other way round. "read"
 * throws an Error with what is wrong. */
const TEXT = { read: (text) => text, write: String };

const INTEGER = {
    read: (text) => {
        if (!/^\d{1,15}$/.test(text)) {
            throw new Error("This must be a whole number.");
        }

        return Number(text);
    },
    write: String,
};

const FLAG = { read: (text) => text === "true", write: String };

const SIZE = {
    read: (text) => {
        const [, n, unit] = /^(\d{1,15})\s*([a-z]*)$/i.exec(text) ?? [];
        const factor = BYTES[unit?.toLowerCase()];

        if (factor === undefined) {
            throw new Error("This must be a number of bytes, such as 4194304 or "
                            + "4 MiB.");
        }

        return Number(n) * factor;
    },
    write: String,
};

const TIME = {
    read: (text) => {
        const [, n, unit] = /^(\d{1,9}(?:\.\d+)?)\s*([a-z]+)$/.exec(text) ?? [];

        if (!(unit in SECONDS)) {
            throw new Error("This must be a time, such as 30m or 2h.");
        }

        return Math.round(Number(n) * SECONDS[unit] * 1e9);
    },
    write: (ns) => ns % 3600e9 === 0 ? `${ns / 3600e9}h`
                   : ns % 60e9 === 0 ? `${ns / 60e9}m` : `${ns / 1e9}s`,
};

const LIST = {
    read: (text) => text.split(/[\s,]+/).filter(Boolean),
    write: (list) => list.join(", "),
};

const HEADERS = {
    read: (text) => Object.fromEntries(text.split("\n").filter((line) =>
        line.trim() !== "").map((line) => {
            const [, name, value] = /^([^:]+):(.*)$/.exec(line) ?? [];

            if (name === undefined) {
                throw new Error("Each line must be “Name: value”.");
            }

            return [name.trim(), value.trim()];
        })),
    write: (headers) => Object.entries(headers).map(
        ([name, value]) => `${name}: ${value}`).join("\n"),
};

const FLAGS = [["", "Default of the cluster"], ["true", "On"], ["false", "Off"]];

const SCOPES = [["", "Default of the cluster"],
                ["single_seed_peer", "single_seed_peer – one of them"],
                ["all_seed_peers", "all_seed_peers – all seed peers"],
                ["all_peers", "all_peers – all of them"]];

/* Each with its group, and "only" for image or file. */
const MORE = [
    ["Where", [
        { name: "args.scope", label: "Scope", choices: SCOPES,
          help: "Which nginx or peers of each cluster get it." },
        { name: "args.ips", label: "Addresses", as: LIST,
          help: "1 to 100 addresses of nginx or peers, separated by commas: only "
                + "these get it." },
        { name: "args.count", label: "Number", as: INTEGER,
          help: "1 to 200: only so many nginx or peers get it." },
        { name: "args.percentage", label: "Percentage", as: INTEGER,
          help: "1 to 100: only so many per cent of them get it." },
        { name: "args.success_threshold", label: "Success threshold", as: INTEGER,
          help: "1 to 100: the job succeeds if so many per cent of them have it." },
    ]],
    ["What", [
        { name: "args.platform", label: "Platform", only: "image",
          placeholder: "linux/amd64",
          help: "os/arch[/variant], up to 16 separated by commas, or “all”. "
                + "Default: dfpreheat_platform of nginx." },
        { name: "args.refresh", label: "Fetch everything again, even if it is cached",
          check: true, help: "Clusters with engine=cache only." },
        { name: "args.subjects", label: "Signatures, attestations and SBOMs, too",
          only: "image", check: true, help: "Clusters with engine=cache only." },
        { name: "args.keep_until", label: "Keep until",
          placeholder: "2026-12-24T20:00:00Z",
          help: "What is gone is warmed again until this time. Clusters with "
                + "engine=cache only." },
        { name: "args.verify", label: "Request everything afterwards as clients do",
          check: true,
          help: "The job fails unless all of it comes from the cache. Clusters with "
                + "engine=cache only." },
        { name: "args.digest", label: "Digest", only: "file",
          placeholder: "sha256:…",
          help: "The digest that the file must have. One file, and clusters with "
                + "engine=cache only." },
        { name: "args.size", label: "Size", only: "file", as: SIZE,
          help: "Bytes that the file must have. One file, and clusters with "
                + "engine=cache only." },
    ]],
    ["Access to the origin", [
        { name: "args.username", label: "User name",
          help: "For the registry or the server of the file. It is hidden in "
                + "answers." },
        { name: "args.password", label: "Password", type: "password",
          help: "It is encrypted in Redis, and erased when the job ends, or at the "
                + "time until which it is kept." },
        { name: "args.headers", label: "Headers", as: HEADERS, lines: 3,
          placeholder: "X-Api-Key: …",
          help: "One “Name: value” per line: credentials, User-Agent, and the "
                + "headers of signed requests. Others are rejected." },
    ]],
    ["How", [
        { name: "args.timeout", label: "Timeout", as: TIME, placeholder: "1h",
          help: "From its creation, such as 30m or 2h. Default: 1h." },
        { name: "args.concurrent_task_count", label: "Tasks at once", as: INTEGER,
          placeholder: "8", help: "1 to 100. Default: 8." },
        { name: "args.concurrent_peer_count", label: "Peers at once", as: INTEGER,
          placeholder: "500", help: "1 to 1000. Default: 500. Dragonfly only." },
        { name: "args.piece_length", label: "Piece length", as: SIZE,
          placeholder: "4 MiB",
          help: "4 MiB to 64 MiB. Dragonfly only; it changes the task." },
        { name: "args.enable_task_id_based_blob_digest",
          label: "Tasks by the digest of a blob",
          choices: FLAGS, as: FLAG,
          help: "Dragonfly only: it must be that of the pull." },
        { name: "args.tag", label: "Tag",
          help: "Dragonfly only: it must be that of the pull." },
        { name: "args.application", label: "Application",
          help: "Dragonfly only: it must be that of the pull." },
        { name: "args.filtered_query_params", label: "Filtered query parameters",
          help: "Dragonfly only: names of parameters that do not make another "
                + "task, joined with “&”. Default: those of signatures." },
    ]],
    ["When it has ended", [
        { name: "webhook.url", label: "Webhook URL",
          help: "The job is sent there. Its origin must be bound to a location." },
        { name: "webhook.secret", label: "Webhook secret", type: "password",
          help: "Deliveries are signed with it (Standard Webhooks)." },
        { name: "user_id", label: "User id", as: INTEGER,
          help: "A number that is kept with the job." },
    ]],
];

/* Values that are not shown by the API, with the variable of the curl command. */
export const SECRETS = { "args.username": "USERNAME", "args.password": "PASSWORD",
                         "args.headers": "HEADER", "webhook.secret": "SECRET" };

/* The groups behind "More": [title, fields]. A field of a form has also read(), the
 * value in JSON or undefined where none is given, and write(value). */
export function moreFields() {
    return MORE.map(([title, list]) => [title, list.map(argument)]);
}

function argument(options) {
    const { as = TEXT } = options;
    const one = field({ ...options, numeric: as === INTEGER,
                        type: options.type,
                        autocomplete: options.type === "password"
                                      ? "new-password" : "off",
                        control: options.choices ? select(options.choices)
                                 : options.check ? checkbox() : undefined });

    one.only = options.only;

    if (options.check) {
        one.node.classList.add("check");
        one.read = () => one.control.checked || undefined;
        one.write = (value) => { one.control.checked = value === true; };

        return one;
    }

    one.read = () => one.value() === "" ? undefined : as.read(one.value());
    one.write = (value) => one.set(as.write(value));

    return one;
}

function select(choices) {
    const node = document.createElement("select");

    for (const [value, text] of choices) {
        node.append(new Option(text, value));
    }

    return node;
}

function checkbox() {
    const node = document.createElement("input");

    node.type = "checkbox";

    return node;
}

