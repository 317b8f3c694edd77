// What each nginx or peer of a cluster has got, and what has failed with which reason.

import { el, fill, setText } from "./dom.js";
import { chunks } from "./chunks.js";
import { count, number } from "./format.js";
import { clustersOf, preheats, totalsOf } from "./job-data.js";
import { progressBar } from "./progress.js";
import { row, showState, table } from "./parts.js";

const ROWS = 100;           // peers that are shown at a time
const TASKS = 100;          // URLs of one
const PLURALS = { success: "successes", "request of the rehearsal":
                                        "requests of the rehearsal" };
const FEW = 2;              // peers whose URLs are open at once

const COLUMNS = [{ name: "State", class: "state-column" },
                 { name: "Name", class: "name-column" },
                 { name: "Address", class: "address-column" },
                 { name: "Got", class: "wide" }];

/* The view of the i-th cluster of a job: { node, update(job) }. */
export function clusterView(job, i) {
    const heading = el("h2", {}, title(clustersOf(job)[i]));
    const look = el("span");
    const totals = el("div", { class: "muted" });
    const bar = progressBar("Progress of the cluster");
    const body = el("div");
    const notes = el("div");
    let peers = new Map();
    let rows = new Map();       // those that are shown
    let seen;

    const update = (next) => {
        const cluster = clustersOf(next)[i];

        if (!cluster) {
            return;
        }

        showState(look, cluster.state.state);
        bar.update(totalsOf(cluster.state.progress), cluster.state.state);
        setText(totals, downloads(cluster));

        if (seen === cluster.state.results && progressed(peers, cluster)) {
            rows.forEach((one) => one.update());
            return;
        }

        seen = cluster.state.results;
        peers = peersOf(cluster);
        rows = new Map();
        fill(body, tableOf(cluster, peers, rows));
        fill(notes, notesOf(cluster));
    };

    update(job);

    return { update, node: el("section", { class: "card cluster" },
        el("div", { class: "row between" }, heading, look),
        preheats(job) && bar.node, preheats(job) && totals, body, notes) };
}

function title({ id, name, engine }) {
    return [name || (id === null ? "Cluster" : `Cluster ${id}`),
            engine && el("span", { class: "muted light" }, ` ${engine}`)];
}

function downloads({ state: { progress } }) {
    const sum = totalsOf(progress);

    return sum?.downloads_total
        ? `${number(sum.downloads_done)} of `
          + count(sum.downloads_total, "download")
          + (sum.downloads_failed ? `, ${number(sum.downloads_failed)} failed` : "")
        : "";
}

/* The nginx or peers by address, those with failures first: { hostname, ip, got,
 * failed, unreachable, progress }. */
function peersOf({ ofTask, state: { state: now, progress, results } }) {
    const peers = new Map();
    const of = ({ hostname = "", ip = "" }) => {
        const key = keyOf({ hostname, ip });

        if (!peers.has(key)) {
            peers.set(key, { hostname, ip, got: [], failed: [], unreachable: "",
                             progress: null, now });
        }

        return peers.get(key);
    };

    for (const one of results ?? []) {
        one.success_tasks?.forEach((task) => of(task).got.push(task));
        one.peers?.forEach((peer) => of(peer).got.push(
            { url: peer.IsFinished ? "all of it" : "not all, or expired" }));
        one.failure_tasks?.forEach((task) => of(task).failed.push(task));
        one.unreachable?.forEach((peer) => {
            of(peer).unreachable = peer.description;
        });
    }

    for (const one of progress ?? []) {

        // who holds nothing of a task has no row

        if ((one.hostname || one.ip) && !ofTask) {
            of(one).progress = one;
        }
    }

    return new Map([...peers].sort(([, a], [, b]) => rank(a) - rank(b)));
}

/* The same results: only the progress has changed. False if there are new peers. */
function progressed(peers, { ofTask, state: { state: now, progress } }) {
    const named = (progress ?? []).filter((one) => one.hostname || one.ip);

    if (!ofTask && named.some((one) => !peers.has(keyOf(one)))) {
        return false;
    }

    peers.forEach((peer) => { peer.now = now; });
    named.filter((one) => peers.has(keyOf(one)))
        .forEach((one) => { peers.get(keyOf(one)).progress = one; });

    return true;
}

function keyOf({ hostname = "", ip = "" }) {
    return `${ip} ${hostname}`;
}

function rank(peer) {
    return peer.failed.length ? 0 : peer.unreachable ? 1 : 2;
}

/* The state of one: of its results, or PENDING before them. */
function peerState(peer) {
    return peer.failed.length ? "FAILURE"
           : peer.unreachable ? "unreachable"
           : peer.got.length || peer.now !== "PENDING" ? "SUCCESS" : "PENDING";
}

function peerRow(peer, open) {
    const look = el("span");
    const tasks = [...peer.failed, ...peer.got];
    const waiting = tasks.length === 0 && !peer.unreachable;
    const bar = waiting && progressBar(`Progress of ${peer.hostname || peer.ip}`);

    const update = () => {
        showState(look, peerState(peer));

        if (bar) {
            bar.update(totalsOf(peer.progress && [peer.progress]), peer.now);
        }
    };

    const node = row(COLUMNS, [
        look,
        peer.hostname || "–",
        peer.ip || "–",
        [bar ? bar.node : el("div", {}, words(peer)),
         peer.unreachable && el("div", { class: "reason" }, peer.unreachable),
         !open && reasonsOf(peer),
         tasks.length > 0 && details(tasks, open)],
    ]);

    update();

    return { node, update };
}

function words(peer) {
    return count(peer.got.length, "task")
           + (peer.failed.length ? `, ${number(peer.failed.length)} failed` : "");
}

/* The different reasons of a peer; the list of its URLs has all. */
function reasonsOf(peer) {
    const reasons = [...new Set(peer.failed.map((task) => task.description))];

    return reasons.slice(0, 3).map((text) =>
        el("div", { class: "reason" }, text));
}

/* The URLs are made when they are opened. */
function details(tasks, open) {
    const box = el("div");
    const node = el("details", { open }, el("summary", {},
                    count(tasks.length, "URL")), box);
    const show = () => {
        if (!node.open || box.hasChildNodes()) {
            return;
        }

        const list = el("ul", { class: "tasks" });

        fill(box, list, chunks(list, tasks, TASKS, taskItem));
    };

    node.addEventListener("toggle", show);
    show();

    return node;
}

function taskItem(task) {
    const failed = task.description !== undefined;

    return el("li", { class: failed && "failed" },
        el("span", { class: "url" }, task.url || "all of it"),
        failed && el("div", { class: "reason" }, task.description));
}

/* Adds a row to "rows" when it is shown. */
function tableOf({ ofTask, state: now }, peers, rows) {
    if (peers.size === 0) {
        return el("p", { class: "muted" }, now.state === "PENDING"
            ? "Nothing is known yet of the nginx or peers of this cluster."
            : ofTask && now.state === "SUCCESS"
            ? "No nginx or peer of this cluster holds it, or has deleted it."
            : "There are no results of single nginx or peers.");
    }

    const node = table("Results of each nginx or peer", COLUMNS, [],
                       { class: "peers" });
    const make = ([key, peer]) => {
        const one = peerRow(peer, peers.size <= FEW);

        rows.set(key, one);

        return one.node;
    };

    return [node, chunks(node.tBodies[0], [...peers], ROWS, make)];
}

/* What is not in the table: what was skipped, omitted, and what tags stood for. */
function notesOf({ state: { results } }) {
    const all = results ?? [];
    const sum = (name) => all.reduce((n, one) => n + (one[name] ?? 0), 0);
    const omitted = [["success_tasks_omitted", "success"],
                     ["failure_tasks_omitted", "failure"],
                     ["unreachable_omitted", "unreachable peer"],
                     ["verified_omitted", "request of the rehearsal"]]
        .map(([name, word]) => sum(name) && count(sum(name), word,
             PLURALS[word])).filter(Boolean);
    const verified = all.flatMap((one) => one.verified ?? []);
    const skipped = unique(all.flatMap((one) => one.skipped_tasks ?? []));
    const images = unique(all.flatMap((one) => one.images ?? []));

    return [
        omitted.length > 0 && el("p", { class: "muted" },
            `Not listed by nginx: ${omitted.join(", ")}.`),
        skipped.length > 0 && notes("Skipped", skipped, (one) =>
            [el("span", { class: "url" }, one.url),
             el("div", { class: "muted" }, one.description)]),
        verified.length > 0 && notes("Rehearsal: " + count(sum("verified_hits"), "hit")
            + ", " + count(sum("verified_misses"), "miss", "misses"), verified, (one) =>
            [el("span", { class: "url" }, one.url),
             el("div", { class: "muted" }, `${one.request}: ${answerOf(one)} (${
                one.hostname})`)]),
        images.length > 0 && notes("Manifests", images, (one) =>
            [el("span", { class: "url" }, one.url),
             el("div", { class: "url muted" }, one.digest)]),
    ];
}

/* Of a request of the rehearsal. */
function answerOf({ status, cache }) {
    return status === null ? "no answer" : `${status}, ${cache ?? "another server"}`;
}

function unique(list) {
    return [...new Map(list.map((one) => [JSON.stringify(one), one])).values()];
}

function notes(title, items, make) {
    const list = el("ul", { class: "tasks" });
    const more = chunks(list, items, TASKS, (one) => el("li", {}, make(one)));

    return el("details", {}, el("summary", {}, `${title} (${items.length})`), list,
              more);
}
