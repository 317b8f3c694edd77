// The keys that were entered, and what they permit. They are kept in this module's
// memory only: signing out, leaving the page and reloading it forget them.

const keys = { token: null, admin: null };

/* What the token permits; the admin key permits to manage tokens. */
const scopes = { job: false, cluster: false };

let ended = () => {};

/* Sets what is called with a reason when a key does not permit anything any more. */
export function onEnd(listener) {
    ended = listener;
}

export function key(kind) {
    return keys[kind];
}

export function useToken(token, permitted) {
    keys.token = token;
    scopes.job = permitted.job;
    scopes.cluster = permitted.cluster;
}

export function useAdmin(admin) {
    keys.admin = admin;
}

/* May a page be shown that needs this? "job", "cluster" or "admin". */
export function permits(need) {
    return need === "admin" ? keys.admin !== null
                            : keys.token !== null && scopes[need];
}

export function signedIn() {
    return keys.token !== null || keys.admin !== null;
}

export function held() {
    return [keys.token !== null && "token", keys.admin !== null && "admin key"]
           .filter(Boolean);
}

export function clear() {
    keys.token = keys.admin = null;
    scopes.job = scopes.cluster = false;
}

/* The server has refused the key that it accepted before. */
export function end(kind, reason) {
    if (keys[kind] === null) {
        return;
    }

    keys[kind] = null;

    if (kind === "token") {
        scopes.job = scopes.cluster = false;
    }

    ended(reason);
}
