// Fields with label, help and error, and a form that shows the errors of the API
// beside them.

import { el, fill, newId } from "./dom.js";
import { ApiError } from "./api.js";
import { problem } from "./parts.js";

/* A field of a request. Options: name (as errors of the API name it), label, help,
 * required, maxlength, placeholder, type, lines (of a textarea), control (one that
 * is made elsewhere), beside (nodes after it), group (controls with labels of their
 * own). Returns { name, node, control, value(), set(), error(text) }. */
export function field(options) {
    const { name, label, help, group, beside } = options;
    const id = newId("field");
    const control = group ?? options.control ?? input(options);
    const error = el("div", { class: "field-error", id: `${id}-error` });
    const hint = help && el("div", { class: "help", id: `${id}-help` }, help);
    const described = hint ? hint.id : null;
    const target = group ? null : control;

    if (target) {
        target.id = id;
        target.name = name;
        describe(target, described);
    }

    const title = [label, options.required
                   && el("span", { class: "muted" }, " (required)")];

    const node = group
        ? el("fieldset", { class: "field", "data-field": name,
                           "aria-describedby": described },
             el("legend", {}, title), hint, control, error)
        : el("div", { class: "field", "data-field": name },
             el("label", { for: id }, title),
             beside ? el("div", { class: "row" }, control, beside) : control,
             hint, error);

    const made = {
        name, node, control,
        value: () => control.value.trim(),
        set: (value) => { control.value = value; },
        bad: () => error.textContent !== "",
        focus: () => (target ?? node.querySelector("input, select")).focus(),
        error: (text) => {
            error.textContent = text;

            if (target) {
                target.toggleAttribute("aria-invalid", false);

                if (text) {
                    target.setAttribute("aria-invalid", "true");
                }

                describe(target, [described, text && error.id]
                                 .filter(Boolean).join(" "));
            } else {
                node.setAttribute("aria-describedby",
                    [described, error.id].filter(Boolean).join(" "));
            }
        },
    };

    // it was about what is changed now
    node.addEventListener("input", () => made.bad() && made.error(""));

    return made;
}

function describe(node, ids) {
    if (ids) {
        node.setAttribute("aria-describedby", ids);

    } else {
        node.removeAttribute("aria-describedby");
    }
}

function input({ type = "text", lines, required, maxlength, placeholder, numeric,
                 autocomplete = "off" }) {
    const common = { required, maxlength, placeholder, autocomplete,
                     spellcheck: "false", autocapitalize: "off" };

    return lines ? el("textarea", { ...common, rows: lines })
                 : el("input", { ...common, type,
                                 inputmode: numeric && "numeric" });
}

/* Shows an error of the API beside its field; false if no field has that name.
 * "args.urls[3]" is about args.urls, and aliases are names of other fields for
 * the same. */
export function showFieldError(fields, error, aliases = {}) {
    const name = aliases[error.field] ?? error.field;
    const found = error.status === 422 || error.status === 409
                  ? fields.find((one) => one.name === name) : null;

    if (!found) {
        return false;
    }

    found.node.closest("details")?.setAttribute("open", "");
    found.error(error.message);
    found.focus();

    return true;
}

/* A form of fields. Options: fields, submit (text), back (a node), send() that posts
 * and may throw an ApiError, check() that sets errors before, and the signal. */
export function form({ fields, submit, back, send, check, signal }) {
    const failed = el("div");
    const button = el("button", { type: "submit", class: "primary" }, submit);

    const node = el("form", {
        class: "card", novalidate: true,
        submit: async (event) => {
            event.preventDefault();

            if (button.getAttribute("aria-disabled")) {
                return;
            }

            fill(failed);
            fields.forEach((one) => one.error(""));
            check();

            const first = fields.find((one) => one.bad());

            if (first) {
                first.focus();
                return;
            }

            button.setAttribute("aria-disabled", "true");

            try {
                await send();

            } catch (error) {
                if (signal.aborted) {
                    return;
                }

                if (!(error instanceof ApiError)
                    || !showFieldError(fields, named(error)))
                {
                    fill(failed, problem(error));
                }

            } finally {
                button.removeAttribute("aria-disabled");
            }
        },
    }, fields.map((one) => one.node), failed,
       el("div", { class: "row" }, button, back));

    return { node };
}

/* 409 is about the name, which its text does not begin with. */
function named(error) {
    return error.status === 409 ? new ApiError(409, error.message, "name") : error;
}
