// Server-Sent Events, read by fetch: EventSource cannot send an Authorization header.

import { authorization, failure } from "./api.js";

const FIRST_PAUSE = 2;      // s, then doubled
const LAST_PAUSE = 30;
const SILENCE = 45;         // s; the server sends a comment every 15
const HIDDEN = 60;          // s that a page nobody sees keeps its stream

/* Follows a stream until the signal aborts or listener.event() returns true. A page
 * that is hidden has none after a while: browsers open six connections to a server
 * for all of their tabs. The listener has
 *
 *     event(name, data)   an event, with its JSON
 *     up()                a stream has begun, for the first time or again
 *     down(status)        there is none, for now; status of the answer, or 0
 */
export async function follow(path, listener, signal) {
    let pause = FIRST_PAUSE;

    while (!signal.aborted) {
        const began = Date.now();
        const { status, done } = await once(path, listener, signal);

        if (done || signal.aborted || status === 401 || status === 403) {
            return;
        }

        listener.down(status);

        if (Date.now() - began > LAST_PAUSE * 1000) {
            pause = FIRST_PAUSE;
        }

        await sleep(pause, signal);
        await visible(signal);
        pause = Math.min(pause * 2, LAST_PAUSE);
    }
}

async function once(path, listener, signal) {
    const stop = new AbortController();
    const abort = () => stop.abort();
    let timer = setTimeout(abort, SILENCE * 1000);
    let hidden = null;

    const look = () => {
        clearTimeout(hidden);
        hidden = document.hidden ? setTimeout(abort, HIDDEN * 1000) : null;
    };

    look();
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", abort);

    try {
        const response = await fetch(path, {
            headers: authorization("token"),
            cache: "no-store",
            redirect: "error",
            signal: stop.signal,
        });

        if (!response.ok) {
            const data = await response.json().catch(() => null);

            failure("token", response, data);
            return { status: response.status, done: false };
        }

        listener.up();

        const reader = response.body.getReader();
        const lines = splitter();
        const parse = parser(listener);

        for (;;) {
            const { value, done } = await reader.read();

            if (done) {
                return { status: 0, done: false };
            }

            clearTimeout(timer);
            timer = setTimeout(abort, SILENCE * 1000);

            for (const line of lines(value)) {
                if (parse(line)) {
                    return { status: 0, done: true };
                }
            }
        }

    } catch {
        return { status: 0, done: false };

    } finally {
        clearTimeout(timer);
        clearTimeout(hidden);
        document.removeEventListener("visibilitychange", look);
        signal.removeEventListener("abort", abort);
        stop.abort();
    }
}

/* Returns a function that is given bytes and returns the lines that are complete. */
function splitter() {
    const decoder = new TextDecoder();
    let rest = [];

    return (value) => {
        const parts = decoder.decode(value, { stream: true }).split("\n");

        rest.push(parts[0]);

        if (parts.length === 1) {
            return [];
        }

        const lines = [rest.join(""), ...parts.slice(1, -1)];

        rest = [parts[parts.length - 1]];

        return lines.map((line) => line.replace(/\r$/, ""));
    };
}

/* Returns a function that is given lines, and returns true when the listener has
 * had its last event. */
function parser(listener) {
    let name = "message";
    let data = [];

    return (line) => {
        if (line === "") {
            const event = name;
            const text = data.join("\n");

            name = "message";
            data = [];

            return text !== "" && listener.event(event, JSON.parse(text)) === true;
        }

        const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);

        if (field === "event") {
            name = value;

        } else if (field === "data") {
            data.push(value);
        }

        return false;
    };
}

function visible(signal) {
    return new Promise((resolve) => {
        const look = () => {
            if (!document.hidden || signal.aborted) {
                document.removeEventListener("visibilitychange", look);
                signal.removeEventListener("abort", look);
                resolve();
            }
        };

        document.addEventListener("visibilitychange", look);
        signal.addEventListener("abort", look);
        look();
    });
}

export function sleep(seconds, signal) {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);

        signal.addEventListener("abort", () => {
            clearTimeout(timer);
            resolve();
        });
    });
}
