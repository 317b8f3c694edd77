// ADD PERSONAL ACCESS TOKENS: the form, and the token that is shown once.

import { el, fill, announce } from "./dom.js";
import { request, JOBS, TOKENS } from "./api.js";
import { localDate, localTime } from "./format.js";
import { field, form } from "./form.js";
import { copyable } from "./parts.js";
import * as session from "./session.js";

const DAYS = [[7, "7 days"], [30, "30 days"], [90, "90 days"], [365, "1 year"]];
const DEFAULT_DAYS = 30;

const SCOPES = [
    ["job", "Create, read and delete jobs; look into the caches and remove what is "
            + "there.", true],
    ["cluster", "Read the clusters and their status.", true],
    ["origin-credentials", "Let jobs use the credentials for registries that are "
                           + "configured in nginx.", false],
];

export function newTokenPage({ main, signal }) {
    const name = field({ name: "name", label: "Name", required: true,
                         maxlength: 128, help: "Unique, such as “ci” or “harbor”." });
    const bio = field({ name: "bio", label: "Description", maxlength: 1024,
                        help: "Who uses it, and what for." });
    const expiry = expiration();
    const scopes = scopeChoice();

    const view = form({
        fields: [name, bio, expiry.field, scopes.field],
        submit: "SAVE",
        back: el("a", { class: "button", href: "#/tokens" }, "Cancel"),
        send: async () => {
            const { data } = await request("admin", "POST", TOKENS, {
                body: { name: name.value(), bio: bio.value(),
                        expired_at: expiry.value(), scopes: scopes.value() },
                signal });

            created(main, view.node, data);
        },
        check: () => {
            name.error(name.value() ? "" : "Enter a name.");
            expiry.field.error(expiry.problem());
            scopes.field.error(scopes.value().length ? ""
                               : "Choose at least one scope.");
        },
        signal,
    });

    main.append(view.node);
}

/* Presets, and a date: the token expires at its end, in the reader's zone. */
function expiration() {
    const select = el("select", {}, DAYS.map(([days, name]) =>
        el("option", { value: days, selected: days === DEFAULT_DAYS }, name)),
        el("option", { value: "date" }, "A date…"));
    const date = el("input", { type: "date", "aria-label": "Expiration date",
                               min: localDate(new Date()), hidden: true });
    const note = el("span", { class: "muted" });

    const end = () => {
        if (select.value !== "date") {
            return new Date(Date.now() + Number(select.value) * 86400e3);
        }

        const [year, month, day] = date.value.split("-").map(Number);

        return date.value ? new Date(year, month - 1, day, 23, 59, 59) : null;
    };

    const update = () => {
        const at = end();

        date.hidden = select.value !== "date";
        note.textContent = at ? `Until ${localTime(at, true)}` : "";
    };

    select.addEventListener("change", update);
    date.addEventListener("change", update);
    update();

    return {
        field: field({ name: "expired_at", label: "Expiration", control: select,
                       beside: [date, note] }),
        value: () => end().toISOString(),
        problem: () => {
            const at = end();

            return at === null ? "Choose a date."
                   : at <= new Date() ? "The date must be in the future." : "";
        },
    };
}

function scopeChoice() {
    const boxes = SCOPES.map(([name, , checked]) =>
        el("input", { type: "checkbox", name: "scopes", value: name,
                      id: `scope-${name}`, checked,
                      "aria-describedby": `scope-help-${name}` }));

    const list = el("div", { class: "choices" }, SCOPES.map(([name, help], i) =>
        el("div", { class: "choice" }, boxes[i],
           el("div", {}, el("label", { for: boxes[i].id }, name),
              el("div", { class: "help", id: `scope-help-${name}` }, help)))));

    return {
        field: field({ name: "scopes", label: "Scopes", group: list }),
        value: () => boxes.filter((box) => box.checked).map((box) => box.value),
    };
}

/* The token is in this answer only. */
function created(main, node, token) {
    const { node: copy } = copyable("the token", token.token);
    const use = el("button", { type: "button" }, "Use it in this page");
    const jobs = token.scopes.includes("job");
    const clusters = token.scopes.includes("cluster");
    const heading = el("h2", { tabindex: "-1" }, `Token “${token.name}” is created`);

    use.addEventListener("click", () => {
        session.useToken(token.token, { job: jobs, cluster: clusters });
        location.hash = jobs ? "/jobs" : "/clusters";
    });

    const box = el("section", { class: "card once" }, heading,
        el("p", { class: "message warning" },
           "Copy the token now: it is not shown again."),
        copy,
        el("p", { class: "muted" }, `Try it: curl -H "Authorization: Bearer TOKEN" ${
            location.origin}${JOBS}`),
        el("div", { class: "row" },
           el("a", { class: "button primary", href: "#/tokens" }, "Done"),
           (jobs || clusters) && use));

    node.replaceWith(box);
    main.querySelector("h1").textContent = "New token";
    heading.focus();
    announce("The token is created. Copy it now, it is not shown again.");
}
