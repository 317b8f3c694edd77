// Keeps the list of jobs current: by one stream of events, or without it by
// reading the jobs that are PENDING every five seconds.

import { announce } from "./dom.js";
import { request, JOBS } from "./api.js";
import { follow, sleep } from "./stream.js";

const EVENTS = "/oapi/v1/events";
const PATIENCE = 1;         // s that "hello" may take before the list is read
const POLL = 5;             // s
const PENDING_READ = 100;   // jobs of one request
const CALM = 2;             // s between reads that events cause

/* Options: list, a JobList; show(text, on) tells whether the list is live. */
export function liveJobs(list, show, signal) {
    let polling = null;         // aborted when a stream begins
    let planned = null;
    let started = false;

    const first = setTimeout(() => list.refresh(), PATIENCE * 1000);

    const refresh = () => {
        clearTimeout(first);
        clearTimeout(planned);
        planned = null;
        list.refresh();
    };

    const refreshSoon = () => {
        planned ??= setTimeout(refresh, CALM * 1000);
    };

    signal.addEventListener("abort", () => {
        clearTimeout(first);
        clearTimeout(planned);
        polling?.abort();
    });

    follow(EVENTS, {
        up: () => {
            polling?.abort();
            polling = null;
            show("Live", true);
        },

        down: (status) => {
            show(status === 404 || status === 503
                 ? "Live updates are not available: read every 5 s"
                 : "Live updates are interrupted: read every 5 s", false);

            if (!started) {
                started = true;
                refresh();
            }

            if (!polling) {
                polling = new AbortController();
                poll(list, polling.signal);
            }
        },

        event: (name, data) => {
            started = true;

            if (name === "hello" || name === "reset") {
                refresh();

            } else if (name === "created") {
                list.add(data);

            } else if (name === "progress" || name === "end") {
                change(list, data);

                if (!list.job(data.id) && list.lists(data.state)) {
                    refreshSoon();
                }

            } else if (name === "deleted" && list.job(data.id)) {
                list.remove(data.id);
                refreshSoon();
            }
        },
    }, signal);
}

async function poll(list, signal) {
    while (!signal.aborted) {
        await readPending(list, signal);
        await sleep(POLL, signal);
    }
}

function change(list, data) {
    const job = list.job(data.id);

    list.change(data.id, data);

    if (job?.state === "PENDING" && data.state !== "PENDING") {
        announce(`Job ${data.id}: ${data.state}.`);
    }
}

async function readPending(list, signal) {
    if (document.hidden) {
        return;
    }

    const newest = list.newest();

    try {
        const { data } = await request("token", "GET", JOBS, {
            query: { state: "PENDING", per_page: PENDING_READ }, signal });
        const read = new Map(data.map((job) => [job.id, job]));

        data.filter((job) => job.id > newest).reverse()
            .forEach((job) => list.add(job));

        for (const id of list.pending()) {
            const job = read.get(id) ?? await readJob(id, signal);

            if (job) {
                change(list, { ...job, job_states: job.result.job_states });

            } else {
                list.remove(id);
            }
        }

    } catch {
        // the next poll tells it; what is shown stays
    }
}

async function readJob(id, signal) {
    try {
        return (await request("token", "GET", `${JOBS}/${id}`, { signal })).data;

    } catch (error) {
        if (error.status === 404) {
            return null;
        }

        throw error;
    }
}
