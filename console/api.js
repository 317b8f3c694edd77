// Requests to the Open API.

import * as session from "./session.js";

export const JOBS = "/oapi/v1/jobs";
export const CLUSTERS = "/oapi/v1/clusters";
export const TOKENS = "/api/v1/personal-access-tokens";

const SECONDS = 40;     // longer than the server waits for Redis

/* A request that has failed: status is 0 without an answer, field is that of the
 * request that a 422 names, or null. */
export class ApiError extends Error {
    constructor(status, message, field = null) {
        super(message);
        this.status = status;
        this.field = field;
    }

    /* Would the same request succeed later? */
    get temporary() {
        return this.status === 0 || this.status === 429 || this.status >= 500;
    }
}

/* The header with a key, given or that of the session. */
export function authorization(kind, key = session.key(kind)) {
    return { Authorization: `Bearer ${key}` };
}

/* Sends a request and returns { data, total, complete }: the JSON of the answer, or
 * null without a body; the number of elements on all pages, or null; and whether
 * all were compared with the filters. Options: query, body, headers, signal, key (of
 * somebody who signs in), seconds. Throws an ApiError, and an AbortError when the
 * signal aborts. */
export async function request(kind, method, path, options = {}) {
    const { query, body, headers, signal, key, seconds = SECONDS } = options;
    const timer = AbortSignal.timeout(seconds * 1000);
    let response, text;

    try {
        response = await fetch(path + queryOf(query), {
            method,
            headers: { ...authorization(kind, key), ...headers },
            body: body === undefined ? undefined : JSON.stringify(body),
            cache: "no-store",
            redirect: "error",
            signal: either(signal, timer),
        });
        text = await response.text();

    } catch (error) {
        if (signal?.aborted) {
            throw error;
        }

        throw new ApiError(0, timer.aborted
            ? `nginx has not answered within ${seconds} seconds.`
            : "nginx cannot be reached.");
    }

    const data = parsed(text);

    if (!response.ok) {
        throw failure(kind, response, data, key);
    }

    if (data === undefined) {
        throw new ApiError(0, "The answer is not JSON: is the Open API at this "
                              + "address?");
    }

    const total = response.headers.get("X-Total-Count");

    return { data, total: total === null ? null : Number(total),
             complete: !response.headers.has("X-Incomplete-Results") };
}

/* The error of an answer that is not 2xx. It ends the session where its key does
 * not permit anything any more. */
export function failure(kind, response, data, key) {
    const status = response.status;
    const text = data?.errors ?? data?.message ?? "";
    const dead = status === 401
                 || status === 403 && /^Token (is inactive|has expired)/.test(text);

    if (dead && key === undefined) {
        session.end(kind, status === 401
            ? `The ${kind === "admin" ? "admin key" : "token"} is not valid any `
              + "more: it was deleted or changed. Sign in again."
            : `${text}. Sign in again.`);
    }

    return new ApiError(status, sentence(status, text), fieldOf(text));
}

function sentence(status, text) {
    if (status === 429 || status === 503) {
        return `${text || "The server is busy."} (status ${status})`;
    }

    return text || `The server has answered with status ${status}.`;
}

/* A 422 begins with the name of the field. */
function fieldOf(text) {
    const found = /^(?:the )?((?:args|webhook)\.[a-z_]+|[a-z]+(?:_[a-z]+)*)\b/
                  .exec(text);

    return found ? found[1] : null;
}

function parsed(text) {
    if (text === "") {
        return null;
    }

    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

function queryOf(query) {
    const given = Object.entries(query ?? {})
                  .filter(([, value]) => value !== null && value !== "");

    return given.length ? "?" + new URLSearchParams(given) : "";
}

function either(signal, timer) {
    if (!signal) {
        return timer;
    }

    const both = new AbortController();

    for (const one of [signal, timer]) {
        if (one.aborted) {
            both.abort();
        }

        one.addEventListener("abort", () => both.abort());
    }

    return both.signal;
}
