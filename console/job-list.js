// The rows of a page of the list: read from the API, and changed by events.

import { el, fill, setText } from "./dom.js";
import { request, JOBS } from "./api.js";
import { clustersOf, merged, urlsOf } from "./job-data.js";
import { number } from "./format.js";
import { jobRow, JOB_COLUMNS } from "./job-row.js";
import { empty, load, pager, table } from "./parts.js";

const PER_PAGE = 20;
const SEARCHED = 200;       // jobs that a search reads
const AT_ONCE = 6;          // requests

/* The rows in "result", and how many jobs there are in "note". "wanted" has the
 * filters and the page; address(page) is that of another one. A refresh begins with
 * what the server has; the changes that come meanwhile are applied again to its
 * answer. */
export class JobList {
    #rows = new Map();
    #total = null;
    #body = null;
    #pages = el("div");
    #missed = null;                     // changes during a refresh
    #stop = new AbortController();      // of the last refresh

    constructor(result, note, wanted, address, signal) {
        Object.assign(this, { result, note, wanted, address });
        signal.addEventListener("abort", () => this.#stop.abort());
    }

    refresh() {
        this.#stop.abort();
        this.#stop = new AbortController();

        const current = this.#stop.signal;

        return load(this.result, current, () => this.#refresh(current));
    }

    async #refresh(signal) {
        const focused = document.activeElement?.closest("tr[data-id]")?.dataset.id;

        this.#missed = [];

        const found = await read(this.wanted, signal).catch((error) => {
            if (!signal.aborted) {
                this.#missed = this.#body = null;
            }

            throw error;
        });
        const again = this.#missed;

        this.#missed = null;
        this.#total = found.total;
        this.#rows = new Map(found.jobs.map((job) => [job.id, jobRow(job)]));
        setText(this.note, found.note);
        this.#show(found);
        again.forEach((change) => change());

        if (focused) {
            this.result.querySelector(`tr[data-id="${focused}"] a`)?.focus();
        }
    }

    #show({ jobs }) {
        const { result, wanted } = this;

        if (jobs.length === 0) {
            fill(result, nothing(wanted));
            this.#body = null;
            return;
        }

        const node = table("Jobs, the newest first", JOB_COLUMNS,
                           [...this.#rows.values()].map((one) => one.node),
                           { class: "jobs" });

        fill(result, node, this.#pages);
        this.#body = node.tBodies[0];
        this.#paginate();
    }

    #paginate() {
        fill(this.#pages, !searching(this.wanted) && pager({
            page: this.wanted.page, perPage: PER_PAGE, total: this.#total,
            shown: this.#rows.size, href: this.address,
        }));
    }

    /* The ids of the jobs that are shown and PENDING. */
    pending() {
        return [...this.#rows.values()].map((one) => one.job())
               .filter((job) => job.state === "PENDING").map((job) => job.id);
    }

    /* The highest id that is shown, or 0. */
    newest() {
        return Math.max(0, ...this.#rows.keys());
    }

    /* A job that is shown. */
    job(id) {
        return this.#rows.get(id)?.job();
    }

    /* Would a job in this state be on the page? */
    lists(state) {
        return this.wanted.page === 1 && this.wanted.state === state;
    }

    /* A job that was created, if it belongs to this page. */
    add(job) {
        this.#remember(() => {
            if (this.#rows.has(job.id) || this.wanted.page > 1
                || !matches(job, this.wanted))
            {
                return;
            }

            if (this.#body) {
                this.#insert(job);

            } else if (!this.#missed) {
                this.refresh();
            }
        });
    }

    #insert(job) {
        const row = jobRow(job);
        const body = this.#body;

        this.#rows.set(job.id, row);
        body.prepend(row.node);

        if (searching(this.wanted)) {
            return;
        }

        if (body.children.length > PER_PAGE) {
            this.#rows.delete(Number(body.lastElementChild.dataset.id));
            body.lastElementChild.remove();
        }

        if (this.#total !== null) {
            setText(this.note, jobsInAll(++this.#total));

            // a link that has the focus keeps it, unless there is a new page

            if (this.#total % PER_PAGE === 1) {
                this.#paginate();
            }
        }
    }

    /* The newer state of a job, as an event tells it. */
    change(id, data) {
        this.#remember(() => {
            const row = this.#rows.get(id);

            row?.update(merged(row.job(), data));
        });
    }

    remove(id) {
        this.#remember(() => {
            this.#rows.get(id)?.node.remove();
            this.#rows.delete(id);
        });
    }

    #remember(change) {
        this.#missed?.push(change);
        change();
    }
}

function searching(wanted) {
    return wanted.url !== "" || wanted.cluster !== "";
}

function matches(job, wanted) {
    return (!wanted.state || job.state === wanted.state)
           && (!wanted.url || urlsOf(job).some((url) =>
                   url.toLowerCase().includes(wanted.url.toLowerCase())))
           && (!wanted.cluster || clustersOf(job).some((one) =>
                   one.id === null || String(one.id) === wanted.cluster));
}

/* A page, or what matches of the newest jobs: the API filters by state only. */
async function read(wanted, signal) {
    const search = searching(wanted);
    const { data, total } = await request("token", "GET", JOBS, {
        query: { page: search ? 1 : wanted.page, state: wanted.state,
                 per_page: search ? SEARCHED : PER_PAGE }, signal });

    if (!search) {
        return { jobs: data, total, note: jobsInAll(total) };
    }

    let jobs = data.filter((job) => matches(job, wanted));

    if (wanted.cluster) {
        jobs = await withClusters(jobs, signal);
        jobs = jobs.filter((job) => matches(job, wanted));
    }

    const unread = data.filter((job) => !job.args).length;

    return { jobs, total: null,
             note: `${number(jobs.length)} of the newest ${number(data.length)} `
                   + `${wanted.state || ""} jobs match`.trimStart()
                   + (total > data.length
                      ? `; ${number(total - data.length)} older ones are not `
                        + "searched" : "")
                   + (unread ? `; ${number(unread)} are too large to search` : "")
                   + "." };
}

function jobsInAll(total) {
    return total === null ? "" : `${number(total)} ${total === 1 ? "job" : "jobs"}`;
}

/* An entry of the list does not name the clusters of a job before the first of its
 * results: these jobs are read. */
async function withClusters(jobs, signal) {
    const found = new Map();
    const unknown = jobs.filter((job) =>
        clustersOf(job).some((one) => one.id === null));
    const next = async () => {
        for (let job; (job = unknown.shift());) {
            const answer = await request("token", "GET", `${JOBS}/${job.id}`,
                                         { signal }).catch((error) => {
                if (error.status !== 404) {
                    throw error;
                }
            });

            found.set(job.id, answer?.data ?? job);
        }
    };

    await Promise.all(Array.from({ length: AT_ONCE }, next));

    return jobs.map((job) => found.get(job.id) ?? job);
}

function nothing(wanted) {
    return wanted.state || searching(wanted) || wanted.page > 1
        ? empty("No job matches", el("a", { href: "#/jobs" }, "Show all jobs"))
        : empty("There are no jobs yet", "A job loads an image or files close to "
            + "where they will be pulled. ",
            el("a", { href: "#/preheat" }, "Preheat an image or a file"));
}
