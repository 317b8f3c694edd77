#include "ngx_dfp_print_cluster.h"
#include "ngx_dfp_print.h"

#include "dfp_definition.h"


static ngx_uint_t ngx_dfp_print_has(ngx_dfp_stored_member_t *member,
    int64_t cluster);
static void ngx_dfp_print_member(dfp_buf_t *b, ngx_dfp_stored_member_t *member,
    dfp_str_t definition);
static void ngx_dfp_print_parts(dfp_buf_t *b, int64_t waiting, int64_t running,
    int64_t oldest);
static void ngx_dfp_print_differs(dfp_buf_t *b,
    ngx_dfp_stored_member_t *member, dfp_str_t definition);


void
ngx_dfp_print_cluster(dfp_buf_t *b, ngx_dfp_cluster_t *cluster,
    ngx_dfp_stored_members_t *members, ngx_uint_t most)
{
    int64_t                   waiting, running, oldest;
    dfp_buf_t                 list, definition;
    ngx_uint_t                i, n;
    ngx_dfp_stored_member_t  *member;

    dfp_buf_init(&definition, b->mem, 256, 0);
    dfp_definition_cluster(&definition, cluster->id,
                           ngx_dfp_dfp_str(cluster->definition));

    dfp_buf_init(&list, b->mem, 1024, 0);
    waiting = 0;
    running = 0;
    oldest = -1;

    for (i = 0, n = 0; i < members->n; i++) {
        member = &members->members[i];

        if (!ngx_dfp_print_has(member, cluster->id)) {
            continue;
        }

        if (n++ < most) {
            dfp_buf_cstr(&list, n > 1 ? "," : "");
            ngx_dfp_print_member(&list, member, dfp_buf_value(&definition));
        }

        waiting += member->parts_waiting;
        running += member->parts_running;
        oldest = ngx_max(oldest, member->oldest);
    }

    dfp_buf_str(b, ngx_dfp_dfp_str(cluster->listed));
    ngx_dfp_print_parts(b, waiting, running, oldest);
    dfp_buf_cstr(b, ",\"instances\":[");
    dfp_buf_str(b, dfp_buf_value(&list));
    dfp_buf_cstr(b, "],\"instances_omitted\":");
    dfp_buf_int(b, n > most ? n - most : 0);
    dfp_buf_cstr(b, "}}");

    b->failed |= list.failed | definition.failed;
}


/* Whether CLUSTER is in the member's list ("1,2"). */

static ngx_uint_t
ngx_dfp_print_has(ngx_dfp_stored_member_t *member, int64_t cluster)
{
    dfp_str_t    id;
    const char  *p, *last;

    p = (char *) member->clusters.data;
    last = p + member->clusters.len;

    while (p < last) {
        id = dfp_str_until(&p, last, ",");
        p += (p < last);

        if (ngx_atoof((u_char *) id.data, id.len) == cluster) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_dfp_print_member(dfp_buf_t *b, ngx_dfp_stored_member_t *member,
    dfp_str_t definition)
{
    dfp_buf_cstr(b, "{\"hostname\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(member->name));
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(member->address));
    dfp_buf_cstr(b, ",\"id\":");
    dfp_buf_json(b, ngx_dfp_dfp_str(member->id));

    if (member->running == 1) {
        dfp_buf_cstr(b, ",\"running\":true");
        ngx_dfp_print_time(b, ",\"running_since\":", member->since);

    } else {
        dfp_buf_cstr(b, ",\"running\":false,\"running_since\":null");
    }

    ngx_dfp_print_time(b, ",\"seen_at\":", member->seen);
    dfp_buf_cstr(b, ",\"differs_in\":[");
    ngx_dfp_print_differs(b, member, definition);
    dfp_buf_cstr(b, "]");
    ngx_dfp_print_parts(b, member->parts_waiting, member->parts_running,
                        member->oldest);
    dfp_buf_cstr(b, "}");
}


static void
ngx_dfp_print_parts(dfp_buf_t *b, int64_t waiting, int64_t running,
    int64_t oldest)
{
    dfp_buf_cstr(b, ",\"parts_waiting\":");
    dfp_buf_int(b, waiting);
    dfp_buf_cstr(b, ",\"parts_running\":");
    dfp_buf_int(b, running);
    dfp_buf_cstr(b, ",\"oldest_waiting_age\":");

    if (oldest >= 0) {
        dfp_buf_int(b, oldest / 1000);

    } else {
        dfp_buf_cstr(b, "null");
    }
}


/* The aspects by which the member defines the cluster otherwise. */

static void
ngx_dfp_print_differs(dfp_buf_t *b, ngx_dfp_stored_member_t *member,
    dfp_str_t definition)
{
    const char        *p, *last;
    dfp_difference_t   difference;

    if (dfp_definition_differs(definition,
                               ngx_dfp_dfp_str(member->definitions),
                               &difference)
        != DFP_OK)
    {
        return;
    }

    p = difference.aspects;
    last = p + ngx_strlen(p);

    while (p < last) {
        dfp_buf_json(b, dfp_str_until(&p, last, ","));

        if (p < last) {
            dfp_buf_cstr(b, ",");
            p += sizeof(", ") - 1;
        }
    }
}
