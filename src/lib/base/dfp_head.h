/*
 * The header of an HTTP/1 answer as it came: a status line, lines, and an empty line
 * (RFC 9112).
 */

#ifndef DFP_HEAD_H
#define DFP_HEAD_H


#include "dfp_mem.h"


typedef struct {
    dfp_str_t  name;
    dfp_str_t  value;
} dfp_head_field_t;


/* The value of the first line of HEAD with this name, in any letter case, without
 * blanks around it; it points into HEAD. Its data is NULL if there is none. */
dfp_str_t dfp_head_value(dfp_str_t head, dfp_str_t name);

/* HEAD with these N fields in place of all lines with their names; *OUT is in MEM.
 * DFP_INVALID: HEAD does not begin with a status line. DFP_ERROR: no memory. */
dfp_rc_t dfp_head_replace(dfp_mem_t *mem, dfp_str_t head,
    const dfp_head_field_t *fields, size_t n, dfp_str_t *out);


#endif /* DFP_HEAD_H */
