// A dry run: what a job would load, how much it is, and where.

import { el } from "./dom.js";
import { request, ApiError, JOBS } from "./api.js";
import { chunks } from "./chunks.js";
import { clustersOf } from "./job-data.js";
import { bytes, count, number } from "./format.js";
import { row, state, table } from "./parts.js";

const WAIT = 60;        // s
const ROWS = 100;

const TASKS = [{ name: "Type", class: "fit" }, { name: "URL", class: "wide" },
               { name: "Size", class: "fit number" },
               { name: "Held by all", class: "fit" }];

const TARGETS = [{ name: "Name" }, { name: "Address", class: "fit" },
                 { name: "Holds", class: "fit" }];

/* Runs it, and returns a node whose h2 can have the focus. A server that does not
 * know dry runs would run the job: its answer tells, and the job is deleted. */
export async function checkView(body, signal) {
    const { data } = await request("token", "POST", JOBS, {
        body: { ...dryBody(body), dry_run: true }, signal });
    const path = `${JOBS}/${data.id}`;

    if (data.dry_run !== true) {
        await request("token", "DELETE", path, { signal });

        throw new ApiError(0, "This nginx has an older release, which cannot check "
                              + "jobs. The job that it has created was deleted.");
    }

    const { data: job } = await request("token", "GET", path, {
        query: { wait: `${WAIT}s` }, seconds: WAIT + 30, signal });

    return view(job, body.webhook !== undefined);
}

/* A dry run calls nobody. */
/* What a dry run cannot have is left out. */
function dryBody({ webhook, args: { verify, ...args }, ...body }) {
    return { ...body, args };
}

function view(job, hook) {
    const clusters = clustersOf(job);

    return el("section", { class: "card check-result" },
        el("div", { class: "row between" },
           el("h2", { tabindex: "-1" }, title(job)), state(job.state)),
        clusters.map((one) => clusterView(one, clusters.length > 1)),
        hook && el("p", { class: "muted" }, "The webhook was not checked."));
}

function title(job) {
    const tasks = clustersOf(job).flatMap((one) => one.state.tasks ?? []);

    return job.state === "SUCCESS"
           ? tasks.length > 0 && tasks.every((one) => one.held === true)
             ? "All of it is there already" : "The job would load this"
           : job.state === "FAILURE" ? "The job would fail"
           : `The check has not ended after ${WAIT} s`;
}

function clusterView({ id, name, engine, state: now }, named) {
    const tasks = now.tasks ?? [];
    const targets = now.targets ?? [];
    const reasons = reasonsOf(now.results ?? []);
    const all = tasks.length + (now.tasks_omitted ?? 0);

    return el("div", { class: "check-cluster" },
        named && el("h3", {}, `Cluster ${name || id} (${engine})`),
        now.error && el("p", { class: "message error" }, now.error),
        all > 0 && el("p", {}, summary(tasks, all, targets)),
        tasks.length > 0 && long("Tasks", TASKS, tasks, taskCells),
        omitted(now.tasks_omitted, "task"),
        targets.length > 0 && long("Targets", TARGETS, targets, (one) =>
            targetCells(one, all, reasons.get(keyOf(one)))),
        omitted(now.targets_omitted, "target"),
        now.state === "SUCCESS" && now.targets === null && el("p",
            { class: "muted" }, "The peers are not known: the scheduler chooses "
            + "them."));
}

function summary(tasks, all, targets) {
    const sizes = tasks.map((one) => one.size).filter((size) => size !== null);
    const unknown = all - sizes.length;
    const held = tasks.filter((one) => one.held === true).length;

    return [count(all, "task") + (targets.length
                ? ` for ${count(targets.length, "target")}` : ""),
            bytes(sizes.reduce((sum, size) => sum + size, 0))
                + (unknown ? `, ${number(unknown)} of unknown size` : ""),
            held > 0 && `${number(held)} held by all targets already`]
           .filter(Boolean).join("; ") + ".";
}

function omitted(n, word) {
    return n > 0 && el("p", { class: "muted" },
                       `${count(n, word)} more, not listed by nginx.`);
}

/* Why it is not known what a target holds. */
function reasonsOf(results) {
    return new Map(results.flatMap((one) => [...one.unreachable ?? [],
                                             ...one.failure_tasks ?? []])
                   .map((one) => [keyOf(one), one.description]));
}

function keyOf({ hostname, ip }) {
    return `${ip} ${hostname}`;
}

function long(caption, columns, items, cells) {
    const node = table(caption, columns, []);

    return [node, chunks(node.tBodies[0], items, ROWS,
                         (one) => row(columns, cells(one)))];
}

function taskCells(task) {
    return [
        task.type,
        [el("div", { class: "url" }, task.url || "–"),
         task.media_type && el("div", { class: "muted" }, task.media_type)],
        task.size === null ? "unknown" : bytes(task.size),
        task.held === null ? "not known" : task.held ? "yes" : "no",
    ];
}

function targetCells(target, tasks, reason) {
    return [
        [el("div", {}, target.hostname || "–"),
         reason && el("div", { class: "reason" }, reason)],
        target.ip || "–",
        target.held === null ? "not known"
        : `${number(target.held)} of ${number(tasks)}`,
    ];
}
