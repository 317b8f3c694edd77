// The clusters with their status.

import { el, fill } from "./dom.js";
import { request, CLUSTERS } from "./api.js";
import { chunks } from "./chunks.js";
import { count, duration, number, time } from "./format.js";
import { empty, load, row, state, table } from "./parts.js";
import { sleep } from "./stream.js";

const POLL = 10;        // s
const ROWS = 100;

const COLUMNS = [{ name: "State", class: "fit" }, { name: "Name" },
                 { name: "Address", class: "fit" },
                 { name: "Last seen", class: "fit" },
                 { name: "Waiting", class: "fit number" },
                 { name: "Running", class: "fit number" },
                 { name: "Oldest", class: "fit number" },
                 { name: "Differs in" }];

export async function clustersPage({ main, signal }) {
    const box = el("div", { class: "result" });
    let shown = "";

    const refresh = () => load(box, signal, async () => {
        const { data } = await request("token", "GET", CLUSTERS,
                                       { query: { per_page: 100 }, signal });
        const text = JSON.stringify(data);

        // as many rows as were shown: they may have been asked for

        const rows = [...box.querySelectorAll("tbody")]
                     .map((body) => body.children.length);

        if (text !== shown || box.querySelector(".message.error")) {
            shown = text;
            fill(box, data.length
                 ? data.map((one, i) => clusterView(one, Math.max(ROWS,
                                                            rows[i] ?? 0)))
                 : empty("nginx has no clusters", "Add dfpreheat_cluster to its "
                         + "configuration."));
        }
    });

    main.append(el("p", { class: "muted" }, "Clusters are configured in nginx with "
        + "dfpreheat_cluster. This page is read again every 10 seconds."), box);

    while (!signal.aborted) {
        if (!document.hidden) {
            await refresh();
        }

        await sleep(POLL, signal);
    }
}

function clusterView({ id, name, is_default: first, status }, rows) {
    return el("section", { class: "card cluster" },
        el("div", { class: "row between" },
           el("h2", {}, `${name} `, el("span", { class: "muted light" }, `id ${id}`)),
           el("span", {}, first && el("span", { class: "muted" }, "default"))),
        el("dl", { class: "facts figures" },
           fact("Engine", status.engine),
           status.schedulers && fact("Schedulers", status.schedulers.join(", ")),
           fact("Parts waiting", number(status.parts_waiting)),
           fact("Parts running", number(status.parts_running)),
           fact("Oldest waiting", age(status.oldest_waiting_age))),
        instances(status, rows));
}

function fact(name, value) {
    return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function age(seconds) {
    return seconds === null ? "–" : duration(Math.max(1, seconds));
}

function instances({ instances: list, instances_omitted: omitted }, rows) {
    if (list.length === 0) {
        return el("p", { class: "muted" }, "No nginx with this cluster has been "
                                           + "seen.");
    }

    const node = table("nginx of the cluster", COLUMNS, []);

    return [
        node,
        chunks(node.tBodies[0], list, rows, (one) => row(COLUMNS, cells(one))),
        omitted > 0 && el("p", { class: "muted" },
                          `${count(omitted, "nginx", "nginx")} not listed.`),
    ];
}

function cells(one) {
    return [
        state(one.running ? "running" : "stopped"),
        [el("div", { class: "strong" }, one.hostname || one.id),
         one.id !== one.hostname && one.hostname
         && el("div", { class: "muted" }, one.id)],
        one.ip || "–",
        time(one.seen_at),
        number(one.parts_waiting),
        number(one.parts_running),
        age(one.oldest_waiting_age),
        one.differs_in.length ? el("span", { class: "reason" },
                                   one.differs_in.join(", ")) : "–",
    ];
}
