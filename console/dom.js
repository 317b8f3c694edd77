// Elements. All text is inserted as text: nothing here parses HTML, and links
// lead to pages of the console only.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
    success: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM8 12.2l2.8 2.8L16 9.5",
    failure: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM9 9l6 6M15 9l-6 6",
    pending: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7.5V12l3 2",
    off: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM8 12h8",
    warning: "M12 4 2.8 20h18.4ZM12 10v4.5M12 17v.4",
    live: "M3 12h4l2.5-6 5 12 2.5-6h4",
};

/* An element. Attributes: functions are listeners, true is "", and null and false
 * are left out. Children: nodes, texts, and lists of them; null and false are
 * left out. */
export function el(name, attributes, ...children) {
    const node = document.createElement(name);

    for (const [key, value] of Object.entries(attributes ?? {})) {
        if (value === null || value === undefined || value === false) {
            continue;
        }

        if (typeof value === "function") {
            node.addEventListener(key, value);

        } else if (key === "href" && !String(value).startsWith("#/")) {
            throw new Error("a link leads out of the console");

        } else {
            node.setAttribute(key, value === true ? "" : value);
        }
    }

    put(node, children);

    return node;
}

/* Appends children as el() does. */
export function put(node, ...children) {
    for (const child of children.flat(Infinity)) {
        if (child !== null && child !== undefined && child !== false) {
            node.append(child);
        }
    }

    return node;
}

/* Replaces what is in the node. */
export function fill(node, ...children) {
    node.replaceChildren();

    return put(node, children);
}

/* Changes a text only where it differs, so that a selection survives. */
export function setText(node, text) {
    if (node.textContent !== text) {
        node.textContent = text;
    }
}

export function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");

    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);

    return svg;
}

export function unseen(text) {
    return el("span", { class: "unseen" }, text);
}

let ids = 0;

export function newId(prefix) {
    return `${prefix}-${++ids}`;
}

/* Tells people who do not see the page what has happened. */
export function announce(text) {
    const node = document.getElementById("announce");

    // the same text twice is announced twice
    node.textContent = "";
    setTimeout(() => { node.textContent = text; }, 50);
}
