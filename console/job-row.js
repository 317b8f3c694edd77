// A job as a row of the list.

import { el, setText } from "./dom.js";
import { between, duration, number, time } from "./format.js";
import { kindOf, preheats, progressOf, statesOf, urlsOf } from "./job-data.js";
import { progressBar } from "./progress.js";
import { row, showState } from "./parts.js";

export const JOB_COLUMNS = [{ name: "State", class: "state-column" },
                            { name: "Job", class: "id-column" },
                            { name: "URL" },
                            { name: "Progress", class: "bar-column" },
                            { name: "Created", class: "time-column" },
                            { name: "Duration", class: "duration-column" }];

/* Returns { node, job(), update(job) }. */
export function jobRow(first) {
    let job = first;
    const bar = progressBar(`Progress of job ${job.id}`);
    const look = el("span");
    const took = el("span");
    const error = el("div", { class: "reason clamp" });

    const update = (next) => {
        job = next;
        showState(look, job.state);
        bar.update(progressOf(job), job.state);
        setText(took, job.state === "PENDING" ? "–" : duration(
            between(job.created_at, job.updated_at)));
        setText(error, job.state === "FAILURE" ? reasonOf(job) : "");
    };

    const node = row(JOB_COLUMNS, [
        look,
        el("a", { href: `#/jobs/${job.id}`, class: "strong" },
           unseenJob(), String(job.id)),
        [what(job), error],
        preheats(job) ? bar.node : "–",
        time(job.created_at),
        took,
    ], { "data-id": job.id });

    update(job);

    return { node, job: () => job, update };
}

function unseenJob() {
    return el("span", { class: "unseen" }, "Job ");
}

export function reasonOf(job) {
    return statesOf(job).map((one) => one.error).find(Boolean) ?? "";
}

function what(job) {
    const urls = urlsOf(job);

    if (!job.args) {
        return el("div", { class: "muted" }, "too large for the list");
    }

    return [
        el("div", { class: "url clamp", title: urls[0] }, urls[0]),
        el("div", { class: "muted" }, [kindOf(job),
            urls.length > 1 && `and ${number(urls.length - 1)} more`, job.bio]
            .filter(Boolean).join(" · ")),
    ];
}
