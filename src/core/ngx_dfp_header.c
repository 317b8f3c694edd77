#include "ngx_dfp_header.h"


ngx_table_elt_t *
ngx_dfp_header_find(ngx_list_t *headers, ngx_str_t *name, ngx_uint_t *n)
{
    ngx_uint_t        i, at;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    at = 0;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++, at++) {

            /* hash 0: there was no memory for it */

            if (at >= *n && h[i].hash && h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                *n = at + 1;
                return &h[i];
            }
        }
    }

    return NULL;
}
