// One job: its reason, its progress, its clusters, and what can be done with it.

import { el, fill, announce } from "./dom.js";
import { request, JOBS } from "./api.js";
import { chunks } from "./chunks.js";
import { between, count, duration, number, time } from "./format.js";
import { clustersOf, kindOf, merged, preheats, progressOf, statesOf, urlsOf } from "./job-data.js";
import { clusterView } from "./job-cluster.js";
import { argumentsView, keptView, webhookView } from "./job-args.js";
import { progressBar } from "./progress.js";
import { confirm, empty, load, problem, state } from "./parts.js";
import { follow, sleep } from "./stream.js";

const POLL = 5;             // s, without a stream, and for a webhook
const URLS_SHOWN = 10;

export function jobPage({ main, id, signal, title }) {
    const box = el("div", { class: "result" });
    const path = `${JOBS}/${id}`;

    title(`Job ${id}`);
    main.append(box);

    load(box, signal, async () => {
        const job = await readJob(path, signal);

        if (!job) {
            fill(box, empty(`There is no job ${id}`, "It was deleted, or it ended "
                + "longer ago than nginx keeps jobs. ",
                el("a", { href: "#/jobs" }, "Show all jobs")));
            return;
        }

        const view = jobView(job, signal);

        fill(box, view.node);
        watch(job, view, path, signal);
    });
}

async function readJob(path, signal) {
    try {
        return (await request("token", "GET", path, { signal })).data;

    } catch (error) {
        if (error.status === 404) {
            return null;
        }

        throw error;
    }
}

/* Follows the job until it has ended, and its webhook until it was delivered. */
async function watch(job, view, path, signal) {
    let read = false;

    const reread = async () => {
        job = (await request("token", "GET", path, { signal })).data;
        view.update(job);
    };

    // results are not in the events: a part that has ended is read

    const changed = (change) => {
        const ended = statesOf(job).filter((one) => one.state !== "PENDING").length;

        job = merged(job, change);
        view.update(job);
        read ||= statesOf(job).filter((one) => one.state !== "PENDING").length
                 > ended;
    };

    if (job.state === "PENDING") {
        const stop = new AbortController();

        signal.addEventListener("abort", () => stop.abort());
        poll(stop.signal, async () => {
            if (read || !view.live()) {
                read = false;
                await reread();
            }

            return job.state !== "PENDING";
        }, view).then((gone) => gone && stop.abort());

        await follow(`${path}/events`, {
            up: () => view.setLive(true),
            down: () => view.setLive(false),
            event: (name, data) => {
                if (name === "progress") {
                    changed(data);

                } else if (name === "end") {
                    job = data;
                    view.update(job);
                    announce(`Job ${job.id}: ${job.state}.`);

                } else if (name === "deleted") {
                    view.gone();
                }

                return name === "end" || name === "deleted";
            },
        }, stop.signal);
        stop.abort();
    }

    await poll(signal, async () => {
        if (job.webhook?.state !== "PENDING") {
            return true;
        }

        await reread();
        return false;
    }, view);
}

/* Does the work every five seconds until it returns true; true if it has. An error
 * that may pass is ignored: what is shown stays. */
async function poll(signal, work, view) {
    for (;;) {
        await sleep(POLL, signal);

        if (signal.aborted) {
            return false;
        }

        try {
            if (!document.hidden && await work()) {
                return true;
            }

        } catch (error) {
            if (signal.aborted) {
                return false;
            }

            if (error.status === 404) {
                view.gone();
                return true;
            }
        }
    }
}

function jobView(first, signal) {
    let job = first;
    let live = true;

    const head = el("div", { class: "job-head" });
    const reason = el("div");
    const bar = progressBar(`Progress of job ${job.id}`, { estimate: true });
    const note = el("p", { class: "muted", hidden: true },
        "Live updates are not available: the job is read every 5 seconds.");
    const failed = el("div");
    const actions = el("div", { class: "row" });
    const facts = el("dl", { class: "facts" });
    const clusters = clustersOf(job).map((one, i) => clusterView(job, i));
    const later = el("div");
    let shown = null;

    const update = (next) => {
        job = next;
        bar.update(progressOf(job), job.state);
        clusters.forEach((one) => one.update(job));
        fill(later, job.kept && keptView(job), job.webhook && webhookView(job));

        const text = `${job.state} ${statesOf(job).map((one) => one.error)}`;

        if (text === shown) {
            return;
        }

        // state and reasons have changed: the buttons, too

        const focused = actions.contains(document.activeElement);

        shown = text;
        fill(head, state(job.state), job.bio && el("span", {}, job.bio));
        fill(reason, reasonsOf(job));
        fill(facts, factsOf(job));
        fill(actions,
            preheats(job) && el("a", { class: "button",
                                       href: `#/preheat?again=${job.id}` },
                                "Run again…"),
            el("button", { type: "button", class: "danger",
                           click: () => remove(job, failed, signal) },
               job.state === "PENDING" ? "Cancel" : "Delete"));

        if (focused) {
            actions.lastElementChild.focus();
        }
    };

    update(first);

    const node = el("div", {}, head, reason,
        el("section", { class: "card", "aria-label": "Progress" },
           preheats(job) && bar.node, note, facts, actions, failed),
        clusters.map((one) => one.node),
        later,
        argumentsView(job));

    return {
        node, update,
        live: () => live,
        setLive: (on) => { live = on; note.hidden = on; },
        gone: () => {
            fill(node, el("div", { class: "message warning", role: "alert" },
                el("p", {}, `Job ${job.id} was deleted.`),
                el("a", { class: "button", href: "#/jobs" }, "Jobs")));
        },
    };
}

/* Asks, and deletes the job; an error is shown in "failed". */
async function remove(job, failed, signal) {
    const pending = job.state === "PENDING";

    fill(failed);

    if (!await confirm(question(job, pending, signal))) {
        return;
    }

    try {
        await request("token", "DELETE", `${JOBS}/${job.id}`, { signal });

    } catch (error) {
        if (signal.aborted) {
            return;
        }

        if (error.status !== 404) {
            fill(failed, problem(error));
            return;
        }
    }

    location.hash = "/jobs";
    announce(`Job ${job.id} is ${pending ? "cancelled" : "deleted"}.`);
}

function question(job, pending, signal) {
    return pending
        ? { title: `Cancel job ${job.id}?`, yes: "Cancel the job", signal,
            text: "It is stopped within a second and removed from the list. What is "
                  + "in the cache stays there; peers of Dragonfly finish what they "
                  + "have begun." }
        : { title: `Delete job ${job.id}?`, yes: "Delete", signal,
            text: "It is removed from the list. What it has loaded stays where it "
                  + "is." };
}

/* Why the job has failed, first of all. */
function reasonsOf(job) {
    const failed = clustersOf(job).filter((one) => one.state.error);

    return failed.length > 0 && el("div", { class: "message error reasons" },
        el("h2", {}, "Why it has failed"),
        el("ul", {}, failed.map((one) => el("li", {},
            failed.length > 1 && el("span", { class: "strong" },
                                    `${one.name || one.id}: `),
            one.state.error))));
}

function factsOf(job) {
    const urls = urlsOf(job);
    const list = el("ul", { class: "plain" });
    const more = chunks(list, urls, URLS_SHOWN,
                        (url) => el("li", { class: "url" }, url));
    const pending = job.state === "PENDING";
    const limit = (job.args?.timeout ?? 0) / 1e9;

    return [
        fact(preheats(job) ? count(urls.length, job.args?.type === "image"
                                                ? "image" : "file")
             : kindOf(job), list, more),
        fact("Created", time(job.created_at)),
        pending
        ? [fact("Ends by", time(new Date(
               Date.parse(job.created_at) + limit * 1000).toISOString()),
               el("span", { class: "muted" }, ` (timeout ${duration(limit)})`)),
           fact("Duration", "not ended")]
        : [fact("Ended", time(job.updated_at)),
           fact("Duration", duration(between(job.created_at, job.updated_at)))],
        statesOf(job).some((one) => one.lost_attempts) && fact("Lost attempts",
            number(statesOf(job).reduce((n, one) => n + one.lost_attempts, 0)),
            el("span", { class: "muted" },
               " (runs that were lost with their worker)")),
    ];
}

function fact(name, ...value) {
    return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}
