// The JSON of a job from the fields of its form.

const HIDDEN = "***";

/* Returns { body, problems }: problems is a list of [field, text]. A field that is
 * wrong is left out of the body. */
export function bodyOf({ type, url, bio, clusters, more }) {
    const urls = url.value().split("\n").map((line) => line.trim()).filter(Boolean);
    const problems = [];
    const body = { type: "preheat" };
    const ids = clusters.value();

    if (bio.value()) {
        body.bio = bio.value();
    }

    if (ids.length) {
        body.scheduler_cluster_ids = ids;
    }

    body.args = { type: type.value() };

    if (urls.length === 0) {
        problems.push([url, "Enter at least one."]);

    } else if (urls.some((one) => one.includes(HIDDEN))) {
        problems.push([url, `${HIDDEN} stands for a secret that nginx does not show: `
                            + "replace it."]);
    }

    if (urls.length === 1) {
        body.args.url = urls[0];

    } else if (urls.length > 1) {
        body.args.urls = urls;
    }

    for (const one of more) {
        if (one.only !== undefined && one.only !== type.value()) {
            continue;
        }

        try {
            set(body, one.name, one.read());

        } catch (error) {
            problems.push([one, error.message]);
        }
    }

    return { body, problems };
}

/* "args.count" is count in the object args. */
function set(body, name, value) {
    if (value === undefined) {
        return;
    }

    const [object, member] = name.split(".");

    if (member === undefined) {
        body[object] = value;

    } else {
        body[object] = { ...body[object], [member]: value };
    }
}
