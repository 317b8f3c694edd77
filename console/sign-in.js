// Signing in: finds out whether a key is a token or the admin key, and what it
// permits, by requests that change nothing.

import { el, fill, newId } from "./dom.js";
import { request, ApiError, CLUSTERS, JOBS, TOKENS } from "./api.js";
import * as session from "./session.js";

/* A form that asks for a key. Options: label, done() once a key is accepted, and
 * the signal of the page. */
export function signInForm({ label, done, signal }) {
    const input = el("input", {
        id: newId("key"), type: "password", name: "key", required: true,
        autocomplete: "off", autocapitalize: "off", spellcheck: "false",
        maxlength: "4096",
    });
    const error = el("p", { id: newId("error"), class: "field-error",
                            role: "alert" });
    const button = el("button", { type: "submit", class: "primary" }, "Sign in");

    const show = (text) => {
        fill(error, text);
        input.toggleAttribute("aria-invalid", false);

        if (text) {
            input.setAttribute("aria-invalid", "true");
            input.setAttribute("aria-describedby", error.id);
            input.focus();
        }
    };

    const submit = async (event) => {
        event.preventDefault();

        if (button.getAttribute("aria-disabled")) {
            return;
        }

        show("");
        button.setAttribute("aria-disabled", "true");
        button.textContent = "Signing in…";

        const reason = await attempt(input.value.trim(), signal);

        if (signal.aborted) {
            return;
        }

        button.removeAttribute("aria-disabled");
        button.textContent = "Sign in";

        if (reason) {
            show(reason);
            return;
        }

        input.value = "";
        done();
    };

    return el("form", { class: "card narrow", submit, novalidate: true },
        el("div", { class: "field" },
           el("label", { for: input.id }, label), input, error),
        button);
}

/* Returns the reason why a key is not accepted, or "" and the session has it. */
async function attempt(key, signal) {
    if (key === "") {
        return "Enter a personal access token or the admin key.";
    }

    if (!/^[\x21-\x7e]+$/.test(key)) {
        return "This is neither a token nor the admin key: it has blanks or other "
               + "characters that keys do not have.";
    }

    try {
        const job = await probe("token", JOBS, key, signal);

        if (job.status === 401) {
            return await attemptAdmin(key, signal);
        }

        const cluster = await probe("token", CLUSTERS, key, signal);
        const permitted = { job: job.status === 200,
                            cluster: cluster.status === 200 };

        if (!permitted.job && !permitted.cluster) {
            return job.reason;
        }

        session.useToken(key, permitted);

        return "";

    } catch (error) {
        return error instanceof ApiError ? `${error.message} Try again.` : "";
    }
}

async function attemptAdmin(key, signal) {
    const { status, reason } = await probe("admin", TOKENS, key, signal);

    if (status === 200) {
        session.useAdmin(key);
        return "";
    }

    return status === 401
        ? "This is neither a valid token nor the admin key. A token may have been "
          + "deleted."
        : `This is not a valid token, and there is no admin key: ${reason}.`;
}

/* Asks for one element with the key. Throws where the status does not depend on
 * the key. */
async function probe(kind, path, key, signal) {
    try {
        await request(kind, "GET", path, { query: { per_page: 1 }, key, signal });

        return { status: 200, reason: "" };

    } catch (error) {
        if (error.status === 401 || error.status === 403) {
            return { status: error.status, reason: error.message };
        }

        if (error.status === 404) {
            throw new ApiError(404, `There is no API at ${path}: the console must `
                                    + "be in the same server.");
        }

        throw error;
    }
}
