// The arguments of a job, the looks at one that is kept, and the state of its webhook,
// as the API shows them: secrets are "***".

import { el } from "./dom.js";
import { bytes, count, duration, time } from "./format.js";
import { state } from "./parts.js";

/* What is shown elsewhere on the page. */
const ELSEWHERE = ["url", "urls"];

export function argumentsView(job) {
    const given = Object.entries(job.args ?? {}).filter(([name, value]) =>
        value !== null && value !== "" && !ELSEWHERE.includes(name));

    return el("section", { class: "card" },
        el("details", {},
           el("summary", {}, el("h2", {}, "Arguments")),
           el("dl", { class: "facts" },
              given.map(([name, value]) => fact(name, argument(name, value))),
              job.user_id ? fact("user_id", String(job.user_id)) : null,
              fact("task_id", job.task_id)),
           el("p", { class: "muted" },
              "nginx shows secrets as ***; their values cannot be read.")));
}

function argument(name, value) {
    if (name === "timeout") {
        return duration(value / 1e9);
    }

    if (name === "size" || name === "piece_length") {
        return bytes(value);
    }

    if (name === "headers") {
        return el("ul", { class: "plain" }, Object.entries(value).map(
            ([header, text]) => el("li", {}, `${header}: ${text}`)));
    }

    return Array.isArray(value) ? value.join(", ") : String(value);
}

/* The last look of each nginx at a job with keep_until. */
export function keptView({ args, kept }) {
    const over = Date.parse(args?.keep_until) <= Date.now();

    return el("section", { class: "card" },
        el("h2", {}, over ? "Was kept until " : "Kept until ",
           time(args?.keep_until)),
        kept.length ? null : el("p", { class: "muted" }, "No nginx has looked yet."),
        kept.map((one) => el("div", {},
            el("div", { class: "row between" },
               el("span", {}, `${one.hostname} (${one.ip})`), state(one.state)),
            el("dl", { class: "facts" },
               one.checked_at && fact("last look", time(one.checked_at)),
               fact("warmed again", count(one.warmed_tasks, "task")),
               one.error && fact("error", one.error)))));
}

export function webhookView({ webhook }) {
    return el("section", { class: "card" },
        el("div", { class: "row between" }, el("h2", {}, "Webhook"),
           el("span", {}, state(webhook.state))),
        el("dl", { class: "facts" },
           fact("url", webhook.url),
           fact("attempts", count(webhook.attempts, "attempt")),
           webhook.error && fact("last error", webhook.error),
           fact("delivery_id", webhook.delivery_id),
           fact("changed", time(webhook.updated_at))));
}

function fact(name, value) {
    return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}
