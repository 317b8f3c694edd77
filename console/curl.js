// The curl command that posts a job.

import { JOBS } from "./api.js";
import { SECRETS } from "./preheat-fields.js";

const MARK = "\u0001";      // is in no JSON text as it stands

/* The command, for a POSIX shell. The token and secrets are variables of the shell;
 * what was entered for them is not in the text. */
export function curlOf(body) {
    const json = JSON.stringify(masked(body), null, 2);

    return ["curl -sS --fail-with-body \\",
            "  -H \"Authorization: Bearer $TOKEN\" \\",
            "  -H 'Content-Type: application/json' \\",
            `  -d ${withVariables(quoted(json))} \\`,
            `  ${quoted(location.origin + JOBS)}`].join("\n");
}

/* A word in single quotes means itself, but for a single quote. */
function quoted(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
}

function withVariables(text) {
    return text.replace(/\\u0001([A-Z_0-9]+)\\u0001/g, "'\"$$$1\"'");
}

function masked(body) {
    const copy = structuredClone(body);

    for (const [name, variable] of Object.entries(SECRETS)) {
        const [object, member] = name.split(".");
        const value = copy[object]?.[member];

        if (typeof value === "string") {
            copy[object][member] = MARK + variable + MARK;

        } else if (value) {
            Object.keys(value).forEach((header, i) => {
                value[header] = `${MARK}${variable}_${i + 1}${MARK}`;
            });
        }
    }

    return copy;
}
