/*
 * Texts of other programs that this one prints or compares with. They must stay
 * as they are, byte for byte: their meaning is on the other side. No text of
 * this list may stand in another file of src/.
 */

#ifndef DFP_TEXTS_H
#define DFP_TEXTS_H


/*
 * Answers of Dragonfly's manager, as recorded from its Open API (v2.5.0). Its
 * clients show them, and scripts compare them.
 */

/* 401: no token, or an unknown one */
#define DFP_API_UNAUTHORIZED  "Unauthorized"

/* 403: the token was deactivated */
#define DFP_API_INACTIVE      "Token is inactive"

/* 403: the token's expired_at is in the past */
#define DFP_API_EXPIRED       "Token has expired"

/* 403: the token has not the scope "job", or "cluster" */
#define DFP_API_FORBIDDEN                                                     \
    "Token doesn't have permission to access this resource. "                 \
    "Required permission: "
#define DFP_API_NO_JOB        DFP_API_FORBIDDEN "job"
#define DFP_API_NO_CLUSTER    DFP_API_FORBIDDEN "cluster"

/* 404: GET and DELETE of a job that does not exist */
#define DFP_API_NOT_FOUND     "record not found"

/* the body of GET /healthy, a JSON string */
#define DFP_API_HEALTHY       "OK"


/*
 * What a Dragonfly peer (dfdaemon 1.5.1) says in grpc-message if the origin
 * failed, as "backend error: 404 Not Found", or without a status if the origin
 * was not reached. dfp_d7y_backend_status() reads the status: whether another
 * peer may succeed depends on it.
 */
#define DFP_D7Y_BACKEND_ERROR  "backend error:"


/*
 * How nginx (1.22 to 1.28) begins the messages of its error log that tell why
 * an upstream failed (one of them begins with the host). It keeps the reason nowhere else, so a call takes it
 * from the log. Only these are kept: they quote nothing that an origin has
 * sent.
 */

/* event/ngx_event_connect.c: "connect() to 10.0.0.1:80 failed (...)";
 * http/ngx_http_upstream.c: "connect() failed (111: Connection refused)" */
#define DFP_NGINX_CONNECT         "connect() "
#define DFP_NGINX_CONNECT_FAILED  DFP_NGINX_CONNECT "failed "
#define DFP_NGINX_CONNECT_TO      DFP_NGINX_CONNECT "to "

/* http/ngx_http_upstream.c */
#define DFP_NGINX_CERTIFICATE     "upstream SSL certificate "
#define DFP_NGINX_TIMED_OUT       "upstream timed out "
#define DFP_NGINX_NO_LIVE         "no live upstreams"
#define DFP_NGINX_NO_RESOLVER     "no resolver defined to resolve "
#define DFP_NGINX_UNRESOLVED      " could not be resolved ("
#define DFP_NGINX_BIG_HEADER      "upstream sent too big header"

/* the same and http/modules/ngx_http_grpc_module.c: "... closed connection",
 * "... closed stream", "... sent response" */
#define DFP_NGINX_PREMATURELY     "upstream prematurely "
#define DFP_NGINX_CLOSED          DFP_NGINX_PREMATURELY "closed"

/* event/ngx_event_openssl.c */
#define DFP_NGINX_HANDSHAKE       "SSL_do_handshake() failed "
#define DFP_NGINX_HANDSHAKE_END   "peer closed connection in SSL handshake"

/* os/unix/ngx_recv.c, ngx_send.c, ngx_writev_chain.c */
#define DFP_NGINX_RECV            "recv() failed "
#define DFP_NGINX_SEND            "send() failed "
#define DFP_NGINX_WRITEV          "writev() failed "

/* http/modules/ngx_http_grpc_module.c */
#define DFP_NGINX_REJECTED        "upstream rejected request with error "
#define DFP_NGINX_GOAWAY          "upstream sent goaway with error "

/* where the reason ends: http/ngx_http_request.c, of all messages */
#define DFP_NGINX_WHILE           " while "


#endif /* DFP_TEXTS_H */
