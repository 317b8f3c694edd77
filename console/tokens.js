// The list of personal access tokens.

import { el, fill, announce } from "./dom.js";
import { request, TOKENS } from "./api.js";
import { time } from "./format.js";
import { confirm, empty, load, pager, problem, row, state, table }
    from "./parts.js";

const PER_PAGE = 20;

const COLUMNS = [{ name: "State" }, { name: "Name" }, { name: "Scopes" },
                 { name: "Expires" }, { name: "Last use" },
                 { name: "Actions", class: "actions" }];

export function tokensPage({ main, query, signal }) {
    let page = Math.max(1, Number(query.get("page")) || 1);
    let wanted = query.get("state") ?? "";
    const result = el("div", { class: "result" });
    const failed = el("div");

    const refresh = () => load(result, signal, async () => {
        const { data, total } = await request("admin", "GET", TOKENS, {
            query: { page, per_page: PER_PAGE, state: wanted }, signal });

        fill(result, data.length ? [
            table("Personal access tokens", COLUMNS,
                  data.map((token) => tokenRow(token, act))),
            pager({ page, perPage: PER_PAGE, total, shown: data.length,
                    href: (to) => address(to, wanted) }),
        ] : page > 1 || wanted ? empty("No token is on this page",
            el("a", { href: "#/tokens" }, "Show all tokens"))
        : empty("There are no tokens yet", "A token lets a pipeline, Harbor or "
            + "a person use the API. Add one with the button above."));
    });

    // focus: the button that does the opposite, or the heading

    const act = async (token, what) => {
        fill(failed);

        if (what.ask && !await confirm({ ...what.ask, signal })) {
            return;
        }

        try {
            await request("admin", what.method, `${TOKENS}/${token.id}`,
                          { body: what.body, signal });
            announce(`${token.name}: ${what.done}.`);
            await refresh();
            (result.querySelector(`tr[data-id="${token.id}"] button`)
             ?? main.querySelector("h1")).focus();

        } catch (error) {
            if (!signal.aborted) {
                fill(failed, problem(error));
            }
        }
    };

    main.append(
        el("div", { class: "tools" },
           el("a", { class: "button primary", href: "#/tokens/new" },
              "ADD PERSONAL ACCESS TOKENS"),
           stateFilter(wanted, (value) => {
               page = 1;
               wanted = value;
               history.pushState(null, "", address(1, value));
               refresh();
           })),
        failed, result);
    refresh();
}

function address(page, state) {
    const given = new URLSearchParams();

    if (state) {
        given.set("state", state);
    }

    if (page > 1) {
        given.set("page", page);
    }

    return "#/tokens" + (String(given) && `?${given}`);
}

function stateFilter(wanted, changed) {
    const select = el("select", { id: "token-state",
                                  change: () => changed(select.value) },
        [["", "All"], ["active", "Active"], ["inactive", "Inactive"]].map(
            ([value, name]) => el("option", { value, selected: value === wanted },
                                  name)));

    return el("div", { class: "filter" },
              el("label", { for: "token-state" }, "State"), select);
}

function tokenRow(token, act) {
    const expired = Date.parse(token.expired_at) <= Date.now();
    const active = token.state === "active";
    const button = (name, what, style) =>
        el("button", { type: "button", class: style,
                       "aria-label": `${name} ${token.name}`,
                       click: () => act(token, what) }, name);

    return row(COLUMNS, [
        state(active && expired ? "expired" : token.state),
        [el("div", { class: "strong" }, token.name),
         token.bio && el("div", { class: "muted" }, token.bio)],
        token.scopes.join(", "),
        time(token.expired_at, true),
        token.last_used_at ? time(token.last_used_at, true) : "never",
        [active ? button("Deactivate", deactivation(token))
                : button("Activate", activation()),
         button("Delete", deletion(token), "danger")],
    ], { "data-id": token.id });
}

function activation() {
    return { method: "PATCH", body: { state: "active" }, done: "activated" };
}

function deactivation(token) {
    return {
        method: "PATCH", body: { state: "inactive" }, done: "deactivated",
        ask: { title: `Deactivate ${token.name}?`, yes: "Deactivate",
               text: "Requests with this token are refused within a second, until "
                     + "it is activated again. Jobs that it has posted go on." },
    };
}

function deletion(token) {
    return {
        method: "DELETE", done: "deleted",
        ask: { title: `Delete ${token.name}?`, yes: "Delete",
               text: "Requests with this token are refused within a second, for "
                     + "ever. Jobs that it has posted go on." },
    };
}
