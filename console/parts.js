// What several pages show: states, tables, pages of a list, messages, a text to copy.

import { el, fill, icon, announce, newId } from "./dom.js";
import { ApiError } from "./api.js";
import { number } from "./format.js";

const STATES = { SUCCESS: "success", FAILURE: "failure", PENDING: "pending",
                 active: "success", inactive: "off", expired: "warning",
                 running: "success", stopped: "failure",
                 unreachable: "warning" };

/* A state by icon, text and colour. */
export function state(name) {
    const look = STATES[name] ?? "off";

    return el("span", { class: `state ${look}`, "data-state": name },
              icon(look), name);
}

/* Shows a state in a node that may show another one. */
export function showState(node, name) {
    if (node.firstElementChild?.dataset.state !== name) {
        fill(node, state(name));
    }
}

/* A table whose rows are cards on a phone: display is changed there, so the roles
 * are explicit. Columns are { name, class } or names. */
export function table(caption, columns, rows, attributes) {
    const heads = columns.map((one) => one.name ? one : { name: one });

    return el("table", { role: "table", ...attributes },
        el("caption", { class: "unseen" }, caption),
        el("thead", { role: "rowgroup" },
           el("tr", { role: "row" }, heads.map((one) =>
               el("th", { role: "columnheader", scope: "col",
                          class: one.class }, one.name)))),
        el("tbody", { role: "rowgroup" }, rows));
}

/* A row: cells in the order of the columns. */
export function row(columns, cells, attributes) {
    return el("tr", { role: "row", ...attributes }, cells.map((cell, i) =>
        el("td", { role: "cell", class: columns[i].class,
                   "data-label": columns[i].name ?? columns[i] },
           el("div", { class: "cell" }, cell))));
}

/* Links to the pages of a list, or null if there is one only: href(page) is the
 * address of one. */
export function pager({ page, perPage, total, shown, href }) {
    const last = total === null ? null : Math.max(1, Math.ceil(total / perPage));
    const next = last === null ? shown === perPage : page < last;

    const step = (name, to, possible) => possible
        ? el("a", { class: "button", href: href(to) }, name)
        : el("span", { class: "button off" }, name);

    if (page === 1 && !next) {
        return null;
    }

    return el("nav", { class: "pager", "aria-label": "Pages of the list" },
        el("span", { class: "muted" }, `Page ${number(page)}`
           + (last === null ? "" : ` of ${number(last)}`)),
        el("span", { class: "row" }, step("Previous", page - 1, page > 1),
           step("Next", page + 1, next)));
}

/* An error of a request with a button that tries again. */
export function problem(error, retry) {
    const text = error instanceof ApiError ? error.message
                                           : "The page has failed: " + error.message;

    return el("div", { class: "message error", role: "alert" },
        el("p", {}, icon("failure"), text),
        retry && el("button", { type: "button", click: retry }, "Try again"));
}

/* Runs a load of a page: an error is shown in the box with a button that runs it
 * again. What the box has shown stays until then. */
export async function load(box, signal, work) {
    const slow = setTimeout(() => {
        if (!box.hasChildNodes()) {
            fill(box, el("p", { class: "muted" }, "Loading…"));
        }
    }, 300);

    box.setAttribute("aria-busy", "true");

    try {
        await work();

    } catch (error) {
        if (signal.aborted) {
            return;
        }

        fill(box, problem(error, () => load(box, signal, work)));

    } finally {
        clearTimeout(slow);
        box.removeAttribute("aria-busy");
    }
}

export function empty(title, ...text) {
    return el("div", { class: "empty" }, el("p", { class: "strong" }, title),
              el("p", {}, text));
}

/* A text that can be copied. "secret" has the width of a token, others wrap. */
export function copyable(label, text) {
    const box = el("pre", { class: "copy", tabindex: "0", role: "group",
                           "aria-label": label },
                   text);
    const button = copyButton(label, () => box.textContent, box);

    return { node: el("div", { class: "copyable" }, box, button), box };
}

function copyButton(label, text, box) {
    const button = el("button", { type: "button", id: newId("copy") }, "Copy");

    button.setAttribute("aria-label", `Copy: ${label}`);
    button.addEventListener("click", async () => {
        const done = await copy(text(), box);

        announce(done ? "Copied." : "Select the text and copy it.");
        button.textContent = done ? "Copied" : "Select and copy it";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });

    return button;
}

/* Without TLS there is no navigator.clipboard, except on localhost. */
async function copy(text, box) {
    try {
        await navigator.clipboard.writeText(text);
        return true;

    } catch {
        getSelection().selectAllChildren(box);
        return document.execCommand("copy");
    }
}

/* Asks before something is done. Returns a promise of true or false; the focus goes
 * back to what had it. */
export function confirm({ title, text, yes, danger = true, signal }) {
    const opener = document.activeElement;
    const id = newId("dialog");
    const cancel = el("button", { type: "button" }, "Keep it");
    const act = el("button", { type: "button",
                               class: danger ? "danger" : "primary" }, yes);
    const dialog = el("dialog", { "aria-labelledby": id },
        el("h2", { id }, title),
        el("p", {}, text),
        el("div", { class: "row end" }, cancel, act));

    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();

    return new Promise((resolve) => {
        let answer = false;

        cancel.addEventListener("click", () => dialog.close());
        act.addEventListener("click", () => { answer = true; dialog.close(); });
        signal.addEventListener("abort", () => dialog.close());
        dialog.addEventListener("close", () => {
            dialog.remove();

            if (opener?.isConnected) {
                opener.focus();
            }

            resolve(answer && !signal.aborted);
        });
    });
}
