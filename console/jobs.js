// The list of jobs, with filters, pages and live progress.

import { announce, el, fill, icon } from "./dom.js";
import { readClusters } from "./job-data.js";
import { JobList } from "./job-list.js";
import { liveJobs } from "./live.js";

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
    const note = el("p", { class: "muted note" });
    const live = el("p", { class: "live muted" });
    const list = new JobList(result, note, wanted,
                             (page) => address(wanted, page), signal);

    const refilter = async () => {
        wanted.page = 1;
        history.pushState(null, "", address(wanted));
        await list.refresh();
        announce(note.textContent);
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

    return "#/jobs" + (String(given) && `?${given}`);
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
        one("State", state), one("URL", url), one("Cluster", cluster));
}
