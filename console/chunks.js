// Long lists: a part is shown, and the rest when it is asked for.

import { el, newId } from "./dom.js";
import { number } from "./format.js";

/* Appends the nodes that make(item) returns to the list, "size" at a time. Returns
 * a node with the button for more, or null. */
export function chunks(list, items, size, make) {
    let shown = 0;
    const button = el("button", { type: "button", id: newId("more") });

    const more = () => {
        const part = items.slice(shown, shown + size).map(make);
        const first = part[0];

        list.append(...part);
        shown += part.length;

        const left = items.length - shown;

        if (left === 0) {
            button.parentNode?.remove();
        }

        button.textContent = `Show ${number(Math.min(size, left))} more`
                             + (left > size ? ` of ${number(left)}` : "");

        return first;
    };

    more();

    if (shown === items.length) {
        return null;
    }

    button.addEventListener("click", () => {
        const first = more();

        first.tabIndex = -1;
        first.focus({ preventScroll: true });
    });

    return el("div", { class: "more" }, button);
}
