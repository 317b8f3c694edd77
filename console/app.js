// The frame: finds the page of the address behind "#", shows it, and asks for a key
// where one is missing.

import { el, fill, announce } from "./dom.js";
import * as session from "./session.js";
import { jobsPage } from "./jobs.js";
import { jobPage } from "./job.js";
import { preheatPage } from "./preheat.js";
import { clustersPage } from "./clusters.js";
import { tokensPage } from "./tokens.js";
import { newTokenPage } from "./token-form.js";
import { signInForm } from "./sign-in.js";

/* Address, what it needs, title, and the function that fills it. */
const PAGES = [
    { path: /^\/jobs$/, need: "job", title: "Jobs", show: jobsPage },
    { path: /^\/jobs\/(\d+)$/, need: "job", title: "Job", show: jobPage },
    { path: /^\/preheat$/, need: "job", title: "Preheat", show: preheatPage },
    { path: /^\/clusters$/, need: "cluster", title: "Clusters",
      show: clustersPage },
    { path: /^\/tokens$/, need: "admin", title: "Tokens", show: tokensPage },
    { path: /^\/tokens\/new$/, need: "admin", title: "New token",
      show: newTokenPage },
];

const NAV = [["Jobs", "/jobs", "job"], ["Preheat", "/preheat", "job"],
             ["Clusters", "/clusters", "cluster"], ["Tokens", "/tokens", "admin"]];

const NEEDS = {
    job: "This page needs a personal access token with the scope “job”.",
    cluster: "This page needs a personal access token with the scope “cluster”.",
    admin: "This page needs the admin key.",
};

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const account = document.getElementById("account");
const skip = document.getElementById("skip");

let leave = new AbortController();      // aborted when another page is shown

/* Shows the page of the address. "reason" is shown above a sign-in form; "focus":
 * the heading gets the focus. */
function route(reason = "", focus = true) {
    const [path, query = ""] = location.hash.slice(1).split("?");
    const page = PAGES.find((one) => one.path.test(path));

    leave.abort();
    leave = new AbortController();

    if (session.signedIn() && (path === "" || path === "/")) {
        location.replace(`#${home()}`);
        return;
    }

    frame(path);

    if (!session.signedIn() || page && !session.permits(page.need)) {
        signIn(page, reason, focus);
        return;
    }

    if (!page) {
        heading("There is no such page", focus);
        main.append(el("p", {}, "Choose a page above."));
        return;
    }

    heading(page.title, focus);
    page.show({
        main,
        signal: leave.signal,
        query: new URLSearchParams(query),
        id: page.path.exec(path)[1],
        title: retitle,
    });
}

function home() {
    const found = NAV.find(([, , need]) => session.permits(need));

    return found ? found[1] : "/jobs";
}

function heading(title, focus) {
    const h1 = el("h1", { tabindex: "-1" }, title);

    fill(main, h1);
    document.title = `${title} – dfpreheat`;
    scrollTo(0, 0);

    if (focus) {
        h1.focus({ preventScroll: true });
    }
}

function retitle(title) {
    main.querySelector("h1").textContent = title;
    document.title = `${title} – dfpreheat`;
}

function frame(path) {
    const signedIn = session.signedIn();

    fill(nav, signedIn && el("ul", {}, NAV.map(([name, href]) =>
        el("li", {}, el("a", {
            href: `#${href}`,
            "aria-current": path === href ? "page"
                            : path.startsWith(`${href}/`) && "true",
        }, name)))));

    fill(account, signedIn && [
        el("span", { class: "muted held" },
           `Signed in: ${session.held().join(", ")}`),
        el("button", { type: "button", class: "quiet", click: signOut },
           "Sign out"),
    ]);
}

function signIn(page, reason, focus) {
    const more = session.signedIn();

    heading(more ? page.title : "Sign in", focus);

    if (reason) {
        main.append(el("p", { class: "message error", role: "alert" }, reason));
    }

    if (more) {
        main.append(el("p", {}, NEEDS[page.need], " ",
            page.need !== "admin" && session.permits("admin")
            && el("a", { href: "#/tokens/new" }, "Create one")));
    }

    main.append(signInForm({
        label: more && page.need === "admin" ? "Admin key"
               : more ? "Token" : "Token or admin key",
        signal: leave.signal,
        done: () => {
            if (!page || !session.permits(page.need) && !more) {
                location.replace(`#${home()}`);
            }

            route();
        },
    }));

    if (!more) {
        main.append(el("p", { class: "muted" },
            "The key is kept in the memory of this page only. Signing out, "
            + "leaving or reloading the page, and closing the tab forget it."));
    }
}

function signOut() {
    session.clear();
    route("", true);
    announce("You are signed out.");
}

session.onEnd((reason) => route(reason));
addEventListener("hashchange", () => route());

skip.addEventListener("click", (event) => {
    event.preventDefault();
    main.querySelector("h1").focus();
});

// A browser may keep a page that was left, and show it again by "back".

addEventListener("pagehide", () => {
    session.clear();
    route("", false);
});

route("", false);
main.querySelector("input")?.focus();
