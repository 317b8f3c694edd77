// A progress bar with tasks, bytes and an estimate of the time that is left.

import { el, setText } from "./dom.js";
import { bytes, count, duration, number } from "./format.js";

const SAMPLES = 30;         // s that the speed is measured over
const ENOUGH = 4;           // s before the first estimate

/* Returns { node, update(totals, state) }; totals as totalsOf() returns. An estimate
 * is shown with "estimate". */
export function progressBar(label, { estimate = false } = {}) {
    const bar = el("progress", { "aria-label": label, max: 1, value: 0 });
    const text = el("span", { class: "progress-text" });
    const left = estimate && estimator();
    let begun = false;

    return {
        node: el("div", { class: "progress" }, bar, text),
        update: (totals, state) => {
            // the place of a bar that was shown stays: nothing moves at the end

            begun ||= state === "PENDING";
            bar.hidden = !begun;
            bar.classList.toggle("spent", state !== "PENDING");
            bar.value = done(totals);

            const rest = left && state === "PENDING" && totals
                         ? left(totals) : null;

            setText(text, words(totals, state)
                          + (rest === null ? ""
                             : `, about ${duration(rest)} left`));
        },
    };
}

/* How much is done, 0 to 1: by bytes where their number is known. The size of a
 * file is known at its end, so that more bytes may have come than are expected. */
function done(totals) {
    if (!totals) {
        return 0;
    }

    if (totals.bytes_done < totals.bytes_total) {
        return totals.bytes_done / totals.bytes_total;
    }

    return totals.tasks_total
           ? (totals.tasks_done + totals.tasks_failed) / totals.tasks_total : 0;
}

function words(totals, state) {
    if (!totals) {
        return state === "PENDING" ? "waiting" : "";
    }

    const failed = totals.tasks_failed
                   ? `, ${number(totals.tasks_failed)} failed` : "";
    const all = totals.tasks_done === totals.tasks_total;
    const tasks = all && !failed
        ? count(totals.tasks_total, "task")
        : `${number(totals.tasks_done)} of ${count(totals.tasks_total, "task")}`;
    const size = totals.bytes_done < totals.bytes_total
        ? `${bytes(totals.bytes_done)} of ${bytes(totals.bytes_total)}`
        : bytes(totals.bytes_done);

    return `${tasks}${failed}, ${size}`;
}

/* Returns a function that is given totals and returns the seconds that are left at
 * the speed of the last half minute, or null. */
function estimator() {
    const samples = [];

    return (totals) => {
        const now = Date.now() / 1000;

        samples.push([now, totals.bytes_done]);

        while (samples[0][0] < now - SAMPLES) {
            samples.shift();
        }

        const [time, before] = samples[0];
        const speed = (totals.bytes_done - before) / (now - time);
        const rest = totals.bytes_total - totals.bytes_done;

        return now - time >= ENOUGH && speed > 0 && rest > 0 ? rest / speed : null;
    };
}
