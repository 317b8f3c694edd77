/*
 * The set-up of a new connection: authentication, the database, and whether
 * this Redis can be used, and by this user.
 */

#ifndef NGX_DFP_SETUP_H
#define NGX_DFP_SETUP_H


#include "ngx_dfp_conn.h"


#define NGX_DFP_SCHEMA             "1"     /* of the data, as in common.lua */
#define NGX_DFP_REDIS_VERSION_MIN  5       /* scripts call TIME */


/* The on_connect of both connections. CONN becomes ready, or is dropped or
 * refused with a line in the log; conn->timer limits the time. */
void ngx_dfp_setup(ngx_dfp_conn_t *conn);


#endif /* NGX_DFP_SETUP_H */
