/*
 * Sets up a connection that has just been made: authenticates, selects the
 * database, and asks whether this Redis may be used, and by this user.
 */

#ifndef NGX_DFP_SETUP_H
#define NGX_DFP_SETUP_H


#include "ngx_dfp_conn.h"


#define NGX_DFP_SCHEMA             "1"     /* of the data, as in common.lua */
#define NGX_DFP_REDIS_VERSION_MIN  5       /* scripts call TIME */


/* A conn's on_connect. The connection becomes ready, or is dropped or refused,
 * which is logged; conn->timer runs meanwhile. */
void ngx_dfp_setup(ngx_dfp_conn_t *conn);


#endif /* NGX_DFP_SETUP_H */
