// The form for a job: it can be checked (dry run), saved, and shown as a curl command.

import { el, fill, announce } from "./dom.js";
import { request, JOBS } from "./api.js";
import { readClusters } from "./job-data.js";
import { again } from "./preheat-again.js";
import { bodyOf } from "./preheat-body.js";
import { checkView } from "./preheat-check.js";
import { moreFields } from "./preheat-fields.js";
import { curlOf } from "./curl.js";
import { field, showFieldError } from "./form.js";
import { copyable, load, problem } from "./parts.js";

const EXAMPLE = { image: "registry.lan/library/alpine:3.19",
                  file: "https://files.lan/models/weights.bin" };

/* Errors that name another field than the one that has caused them. */
const ALIASES = { "args.urls": "args.url", "args.type": "args.url",
                  webhook: "webhook.url" };

export function preheatPage({ main, query, signal, title }) {
    const box = el("div", { class: "result" });
    const from = query.get("again");

    main.append(box);
    load(box, signal, async () => {
        const job = /^\d+$/.test(from ?? "")
            ? (await request("token", "GET", `${JOBS}/${from}`, { signal })).data
            : null;
        const view = preheatForm(await readClusters(signal), signal);

        if (job) {
            title(`Run job ${job.id} again`);
            fill(view.note, again(job, view));
        }

        view.changed();
        fill(box, view.node);
    });
}

function preheatForm(known, signal) {
    const groups = moreFields();
    const type = typeChoice();
    const url = field({ name: "args.url", label: "URLs", required: true, lines: 3,
                        help: "One per line." });
    const bio = field({ name: "bio", label: "Description", maxlength: 1024,
                        help: "Shown in the list of jobs." });
    const clusters = clusterChoice(known);
    const more = groups.flatMap(([, list]) => list);
    const fields = [url, bio, clusters.field, ...more];
    const model = { type, url, bio, clusters, more, fields };
    const note = el("div");
    const failed = el("div");
    const checked = el("div");
    const curl = copyable("the curl command", "");
    const details = el("details", { class: "more-fields" },
        el("summary", {}, "More"),
        groups.map(([name, list]) => el("fieldset", {}, el("legend", {}, name),
            el("div", { class: "grid" }, list.map((one) => one.node)))));

    const changed = () => {
        const image = type.value() === "image";

        url.node.querySelector("label").firstChild.textContent =
            image ? "Images" : "URLs";
        url.node.querySelector(".help").textContent = image
            ? "One per line: references or manifest URLs, at most 100."
            : "One http or https URL per line, at most 10,000.";
        url.control.placeholder = EXAMPLE[type.value()];
        more.forEach((one) => {
            one.node.hidden = one.only !== undefined && one.only !== type.value();
        });
        curl.box.textContent = curlOf(bodyOf(model).body);
        fill(checked);
    };

    const buttons = buttonsOf(sender(model, failed, checked, signal));
    const node = el("form", {
        class: "preheat", novalidate: true,
        input: changed, change: changed,
        submit: (event) => {
            event.preventDefault();
            buttons.save();
        },
    },
        note,
        el("div", { class: "card" }, type.node, url.node, bio.node,
           clusters.field.node, details, failed,
           buttons.node),
        checked,
        el("section", { class: "card" },
           el("h2", {}, "The same with curl"), curl.node,
           el("p", { class: "muted" }, "Set TOKEN to a token with the scope “job” "
              + "before. Secrets are variables, too: set them as JSON writes "
              + "them.")));

    return { ...model, node, note, changed, details };
}

/* SAVE and Check, of which one works at a time: { node, save() }. */
function buttonsOf(work) {
    const check = el("button", { type: "button" }, "Check");
    const save = el("button", { type: "submit", class: "primary" }, "SAVE");

    const run = async (button, busy, job) => {
        if (check.getAttribute("aria-disabled")) {
            return;
        }

        const name = button.textContent;

        check.setAttribute("aria-disabled", "true");
        save.setAttribute("aria-disabled", "true");
        button.textContent = busy;
        await job();
        button.textContent = name;
        check.removeAttribute("aria-disabled");
        save.removeAttribute("aria-disabled");
    };

    check.addEventListener("click", () => run(check, "Checking…", work.check));

    return {
        node: el("div", { class: "row" }, save, check,
            el("span", { class: "muted" },
               "Check shows what the job would do; nothing is loaded.")),
        save: () => run(save, "Saving…", work.save),
    };
}

/* What the buttons do: { check(), save() }. */
function sender(model, failed, checked, signal) {
    let key = null;             // of the request that may have been stored
    let sent = "";

    const attempt = async (work) => {
        fill(failed);
        model.fields.forEach((one) => one.error(""));

        const { body, problems } = bodyOf(model);

        problems.forEach(([one, text]) => {
            one.node.closest("details")?.setAttribute("open", "");
            one.error(text);
        });

        if (problems.length) {
            problems[0][0].focus();
            return;
        }

        try {
            await work(body);

        } catch (error) {
            if (!signal.aborted && !showFieldError(model.fields, error, ALIASES)) {
                fill(failed, problem(error));
            }
        }
    };

    // a POST that is repeated after an error must not create a second job

    const save = (body) => {
        const text = JSON.stringify(body);

        key = text === sent && key || randomKey();
        sent = text;

        return request("token", "POST", JOBS, {
            body, headers: { "Idempotency-Key": key }, signal });
    };

    return {
        save: () => attempt(async (body) => {
            const { data } = await save(body);

            key = null;
            location.hash = `/jobs/${data.id}`;
            announce(`Job ${data.id} is created.`);
        }),

        check: () => attempt(async (body) => {
            fill(checked);

            const view = await checkView(body, signal);

            fill(checked, view);
            view.querySelector("h2").focus();
        }),
    };
}

/* crypto.randomUUID() needs TLS. */
function randomKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)),
                      (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function typeChoice() {
    const inputs = ["image", "file"].map((value, i) =>
        el("input", { type: "radio", name: "args.type", value, checked: i === 0,
                      id: `type-${value}` }));
    const names = ["Image", "File"];

    return {
        node: el("fieldset", { class: "field" }, el("legend", {}, "Type"),
            el("div", { class: "row" }, inputs.map((input, i) =>
                el("label", { class: "radio", for: input.id }, input,
                   names[i])))),
        value: () => inputs.find((input) => input.checked).value,
        set: (value) => {
            inputs.forEach((input) => { input.checked = input.value === value; });
        },
    };
}

/* The clusters as boxes, or a text of ids where the token must not read them. */
function clusterChoice(known) {
    const name = "scheduler_cluster_ids";

    if (!known) {
        const one = field({ name, label: "Clusters", placeholder: "all",
            help: "Ids separated by commas. Without one: all clusters." });

        return {
            field: one,
            value: () => one.value().split(/[\s,]+/).filter(Boolean)
                         .map((id) => /^\d{1,15}$/.test(id) ? Number(id) : id),
            set: (ids) => one.set(ids.join(", ")),
        };
    }

    const boxes = known.map((one) =>
        el("input", { type: "checkbox", value: one.id, id: `cluster-${one.id}` }));

    return {
        field: field({ name, label: "Clusters",
            help: "Without a choice: all clusters.",
            group: el("div", { class: "row wrap" }, boxes.map((box, i) =>
                el("label", { class: "radio", for: box.id }, box,
                   `${known[i].name} (${known[i].id}, ${known[i].engine})`))) }),
        value: () => boxes.filter((box) => box.checked)
                          .map((box) => Number(box.value)),
        set: (ids) => boxes.forEach((box) => {
            box.checked = ids.includes(Number(box.value));
        }),
    };
}
