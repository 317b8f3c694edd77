// Numbers, sizes and times as people read them.

import { el } from "./dom.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const NEVER = "0001-01-01";

export function count(n, one, many) {
    return `${number(n)} ${n === 1 ? one : many ?? one + "s"}`;
}

export function number(n) {
    return Number(n).toLocaleString("en");
}

export function bytes(n) {
    let unit = 0;

    while (n >= 1024 && unit < UNITS.length - 1) {
        n /= 1024;
        unit++;
    }

    return `${unit && n < 100 ? n.toFixed(1) : Math.round(n)} ${UNITS[unit]}`;
}

/* Seconds, in its two largest units: "1 h 5 min". */
export function duration(seconds) {
    if (seconds < 1) {
        return `${Math.max(0, Math.round(seconds * 1000))} ms`;
    }

    if (seconds < 10) {
        return `${seconds.toFixed(1)} s`;
    }

    seconds = Math.round(seconds);

    if (seconds < 60) {
        return `${seconds} s`;
    }

    if (seconds < 3600) {
        return two(Math.floor(seconds / 60), "min", seconds % 60, "s");
    }

    if (seconds < 86400) {
        return two(Math.floor(seconds / 3600), "h",
                   Math.floor(seconds % 3600 / 60), "min");
    }

    return two(Math.floor(seconds / 86400), "d",
               Math.floor(seconds % 86400 / 3600), "h");
}

function two(large, unit, small, smaller) {
    return `${large} ${unit}` + (small ? ` ${small} ${smaller}` : "");
}

export function localTime(date, minutes) {
    const two = (n) => String(n).padStart(2, "0");
    const time = `${two(date.getHours())}:${two(date.getMinutes())}`;

    return `${localDate(date)} ${time}`
           + (minutes ? "" : `:${two(date.getSeconds())}`);
}

export function localDate(date) {
    const two = (n) => String(n).padStart(2, "0");

    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-`
           + two(date.getDate());
}

/* A time of the API in the zone of the reader, with UTC as the title. */
export function time(text, minutes) {
    const date = new Date(text ?? "");

    if (isNaN(date) || text.startsWith(NEVER)) {
        return "–";
    }

    return el("time", { datetime: date.toISOString(),
                        title: `${date.toISOString().replace("T", " ")
                                      .replace("Z", "")} UTC` },
              localTime(date, minutes));
}

/* Seconds between two times of the API. */
export function between(from, to) {
    return (Date.parse(to) - Date.parse(from)) / 1000;
}
