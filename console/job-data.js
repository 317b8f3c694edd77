// What is in a job of the API. "Change" is the compact job of an event.

import { CLUSTERS, request } from "./api.js";
import * as session from "./session.js";

const NUMBERS = ["tasks_done", "tasks_failed", "tasks_total", "bytes_done",
                 "bytes_total", "downloads_done", "downloads_failed",
                 "downloads_total"];

/* The URLs of a job; none if the list has left out its arguments. */
export function urlsOf(job) {
    return [job.args?.url || job.args?.found_url || job.args?.task_id,
            ...job.args?.urls ?? []].filter(Boolean);
}

/* Whether a job preheats: others are about one task, and have no progress. */
export function preheats(job) {
    return job.type === "preheat";
}

/* What a job is about: "image", or its type. */
export function kindOf(job) {
    return preheats(job) ? job.args?.type : job.type.replaceAll("_", " ");
}

export function statesOf(job) {
    return job.result?.job_states ?? [];
}

/* The sums of a list of progress; null before the first report. */
export function totalsOf(progress) {
    if (!progress?.length) {
        return null;
    }

    return Object.fromEntries(NUMBERS.map((name) =>
        [name, progress.reduce((sum, one) => sum + (one[name] ?? 0), 0)]));
}

export function progressOf(job) {
    return totalsOf(statesOf(job).flatMap((one) => one.progress ?? []));
}

/* Each cluster of a job as { id, name, engine, state }, where state is its element
 * of job_states; id is null where the answer does not tell it. */
export function clustersOf(job) {
    const states = statesOf(job);
    const known = job.scheduler_clusters ?? [];
    const same = known.length === states.length;

    return states.map((state, i) => {
        const id = state.scheduler_cluster_id
                   ?? state.results?.[0]?.scheduler_cluster_id
                   ?? (same ? known[i].id : null);
        const cluster = known.find((one) => one.id === id);

        return { id, state, ofTask: !preheats(job), name: cluster?.name ?? "",
                 engine: cluster?.bio ?? "" };
    });
}

/* The job with a newer state. Results stay what they were. */
export function merged(job, change) {
    if (!newer(job, change)) {
        return job;
    }

    const states = statesOf(job);

    return {
        ...job,
        state: change.state,
        updated_at: change.updated_at,
        result: {
            ...job.result,
            job_states: change.job_states.map((one, i) =>
                ({ results: null, ...states[i], ...one })),
        },
    };
}

function newer(job, change) {
    return Date.parse(change.updated_at) >= Date.parse(job.updated_at)
           && (job.state === "PENDING" || change.state !== "PENDING");
}

/* The clusters that this nginx has, as { id, name, engine }; null if the token must
 * not read them. */
export async function readClusters(signal) {
    if (!session.permits("cluster")) {
        return null;
    }

    try {
        const { data } = await request("token", "GET", CLUSTERS,
                                       { query: { per_page: 100 }, signal });

        return data.map((one) => ({ id: one.id, name: one.name,
                                    engine: one.bio }));
    } catch {
        return null;
    }
}
