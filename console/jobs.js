// The list of jobs, with filters, pages and live progress.

import { el, fill, icon, setText } from "./dom.js";
import { request, JOBS } from "./api.js";
import { clustersOf, merged, readClusters, urlsOf } from "./job-data.js";
import { number } from "./format.js";
import { jobRow, JOB_COLUMNS } from "./job-row.js";
import { liveJobs } from "./live.js";
import { empty, load, pager, table } from "./parts.js";

const PER_PAGE = 20;
const SEARCHED = 200;       // jobs that a search reads
const AT_ONCE = 6;          // requests

const STATES = [["", "All"], ["PENDING", "PENDING"], ["SUCCESS", "SUCCESS"],
                ["FAILURE", "FAILURE"]];

export function jobsPage({ main, query, signal }) {
    const wanted = {
        state: STATES.some(([value]) => value === query.get("state"))
               ? query.get("state") : "",
        url: query.get("url") ?? "",
        cluster: query.get("cluster") ?? "",
        page: Math.max(1, Number(query.get("page")) || 1),
    };
    const result = el("div", { class: "result" });
    const note = el("p", { class: "muted note", role: "status" });
    const live = el("p", { class: "live muted" });
    const list = listOf(result, note, wanted, signal);

    const refilter = () => {
        wanted.page = 1;
        history.pushState(null, "", address(wanted));
        list.refresh();
    };

    main.append(
        el("div", { class: "tools" }, filters(wanted, refilter, signal),
           el("a", { class: "button primary", href: "#/preheat" },
              "Preheat…")),
        el("div", { class: "row between status" }, note, live),
        result);

    liveJobs(list, (text, on) => fill(live, icon(on ? "live" : "off"), text),
             signal);
}

/* The address of the list with these filters. */
function address(wanted, page = wanted.page) {
    const given = new URLSearchParams();

    for (const name of ["state", "url", "cluster"]) {
        if (wanted[name]) {
            given.set(name, wanted[name]);
        }
    }

    if (page > 1) {
        given.set("page", page);
    }

    return "#/jobs" + (given.size ? `?${given}` : "");
}

function filters(wanted, changed, signal) {
    const state = el("select", { id: "filter-state" }, STATES.map(
        ([value, name]) => el("option", { value,
                                          selected: value === wanted.state },
                              name)));
    const url = el("input", { id: "filter-url", type: "search", value: wanted.url,
                              placeholder: "part of a URL", autocomplete: "off",
                              spellcheck: "false" });
    const cluster = el("select", { id: "filter-cluster" },
                       el("option", { value: "" }, "All"));
    const add = (id, name) => cluster.append(
        el("option", { value: id, selected: String(id) === wanted.cluster },
           name));

    readClusters(signal).then((known) => {
        for (const one of known ?? []) {
            add(one.id, `${one.name} (${one.id})`);
        }

        if (wanted.cluster
            && !known?.some((one) => String(one.id) === wanted.cluster))
        {
            add(wanted.cluster, wanted.cluster);
        }

        // a token that must not read the clusters: 1 to 100 are possible

        if (!known) {
            cluster.closest(".filter").hidden = !wanted.cluster;
        }
    });

    const read = (event) => {
        const before = address(wanted);

        event.preventDefault();
        wanted.state = state.value;
        wanted.url = url.value.trim();
        wanted.cluster = cluster.value;

        if (address(wanted) !== before) {
            changed();
        }
    };

    for (const control of [state, url, cluster]) {
        control.addEventListener("change", read);
    }

    const one = (label, control) => el("div", { class: "filter" },
        el("label", { for: control.id }, label), control);

    return el("form", { class: "filters", role: "search", submit: read,
                        "aria-label": "Filters" },
        one("State", state), one("URL", url), one("Cluster", cluster),
        el("button", { type: "submit", class: "unseen" }, "Filter"));
}

/* The rows: { refresh(), pending(), has(id), add(job), change(id, data), remove(id) }.
 * A refresh begins with what the server has; the changes that come meanwhile are
 * applied again to its answer. */
function listOf(result, note, wanted, signal) {
    let rows = new Map();
    let total = null;
    let body = null;
    let missed = null;                  // changes during a refresh
    let stop = new AbortController();   // of the last refresh

    const remember = (change) => {
        missed?.push(change);
        change();
    };

    const refreshed = async (current) => {
        const focused = document.activeElement?.closest("tr[data-id]")
                        ?.dataset.id;

        missed = [];

        const found = await read(wanted, current).catch((error) => {
            if (!current.aborted) {
                missed = body = null;
            }

            throw error;
        });
        const again = missed;

        missed = null;
        total = found.total;
        rows = new Map(found.jobs.map((job) => [job.id, jobRow(job)]));
        setText(note, found.note);
        body = show(result, wanted, found, rows);
        again.forEach((change) => change());

        if (focused) {
            result.querySelector(`tr[data-id="${focused}"] a`)?.focus();
        }
    };

    signal.addEventListener("abort", () => stop.abort());

    const list = {
        refresh: () => {
            stop.abort();
            stop = new AbortController();

            const current = stop.signal;

            return load(result, current, () => refreshed(current));
        },

        pending: () => [...rows.values()].filter((one) =>
            one.job().state === "PENDING").map((one) => one.job().id),

        job: (id) => rows.get(id)?.job(),

        // a job that an event has announced, where it is on this page

        add: (job) => remember(() => {
            if (rows.has(job.id) || wanted.page > 1 || !matches(job, wanted)) {
                return;
            }

            // the first one; a refresh applies it again

            if (!body) {
                if (!missed) {
                    list.refresh();
                }


                return;
            }

            const row = jobRow(job);

            rows.set(job.id, row);
            body.prepend(row.node);

            if (!searching(wanted) && body.children.length > PER_PAGE) {
                rows.delete(Number(body.lastElementChild.dataset.id));
                body.lastElementChild.remove();
            }

            if (total !== null && !searching(wanted)) {
                total++;
                setText(note, jobsInAll(total));
            }
        }),

        change: (id, data) => remember(() => {
            const row = rows.get(id);

            row?.update(merged(row.job(), data));
        }),

        remove: (id) => remember(() => {
            rows.get(id)?.node.remove();
            rows.delete(id);
        }),

        // would a job in this state be on the page?

        lists: (state) => wanted.page === 1 && wanted.state === state,
    };

    return list;
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

/* Returns the body of the table, or null without rows. */
function show(result, wanted, { jobs, total }, rows) {
    if (jobs.length === 0) {
        const filtered = wanted.state || searching(wanted) || wanted.page > 1;

        fill(result, filtered
            ? empty("No job matches",
                    el("a", { href: "#/jobs" }, "Show all jobs"))
            : empty("There are no jobs yet", "A job loads an image or files close "
                + "to where they will be pulled. ",
                el("a", { href: "#/preheat" }, "Preheat an image or a file")));

        return null;
    }

    const node = table("Jobs, the newest first", JOB_COLUMNS,
                       [...rows.values()].map((one) => one.node),
                       { class: "jobs" });

    fill(result, node, !searching(wanted) && pager({
        page: wanted.page, perPage: PER_PAGE, total, shown: jobs.length,
        href: (to) => address(wanted, to),
    }));

    return node.tBodies[0];
}
