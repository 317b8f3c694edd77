// Fills the form with a job that was run before.

import { el } from "./dom.js";
import { urlsOf } from "./job-data.js";

const HIDDEN = "***";
const ARGS = "args.";

/* What the API fills in by itself, with the name of what depends on it. */
const DEFAULTS = { "args.concurrent_task_count": 8,
                   "args.concurrent_peer_count": 500,
                   "args.timeout": 3600e9 };

/* Fills the fields of the view, and returns a message about what has to be entered
 * again, or null. */
export function again(job, view) {
    const { type, url, bio, clusters, more, details } = view;
    const hidden = [];

    type.set(job.args.type);
    url.set(urlsOf(job).join("\n"));
    bio.set(job.bio);
    clusters.set((job.scheduler_clusters ?? []).map((one) => one.id));

    if (urlsOf(job).some((one) => one.includes(HIDDEN))) {
        hidden.push("URLs");
    }

    for (const one of more) {
        const value = valueOf(job, one.name);

        if (value === null || value === "" || value === DEFAULTS[one.name]
            || isDefaultFilter(one.name, value) || isOver(one.name, value))
        {
            continue;
        }

        const shown = one.name === "args.headers" ? withoutHidden(value) : value;

        if (shown === HIDDEN || shown !== value) {
            hidden.push(one.node.querySelector("label").firstChild.textContent);
        }

        if (shown !== HIDDEN) {
            one.write(shown);
        }

        details.open = true;
    }

    if (job.webhook) {
        hidden.push("Webhook secret");
    }

    return hidden.length ? el("p", { class: "message warning" },
        `nginx does not show secrets. Enter them again: ${hidden.join(", ")}.`)
        : null;
}

function valueOf(job, name) {
    if (name === "webhook.url") {
        return job.webhook?.url ?? null;
    }

    if (name === "user_id") {
        return job.user_id || null;
    }

    return name.startsWith(ARGS) ? job.args[name.slice(ARGS.length)] ?? null : null;
}

/* The list of Dragonfly's manager is long, and the default. */
function isDefaultFilter(name, value) {
    return name === "args.filtered_query_params"
           && value.startsWith("X-Amz-Algorithm&X-Amz-Credential&");
}

/* A time that is over would be rejected. */
function isOver(name, value) {
    return name === "args.keep_until" && Date.parse(value) <= Date.now();
}

/* The same object if none of its values is hidden. */
function withoutHidden(headers) {
    const shown = Object.entries(headers).filter(([, text]) => text !== HIDDEN);

    return shown.length === Object.keys(headers).length
           ? headers : Object.fromEntries(shown);
}
