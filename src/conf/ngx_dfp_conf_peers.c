#include "ngx_dfp_conf.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>


static ngx_int_t ngx_dfp_conf_networks(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf,
    ngx_str_t *value, ngx_uint_t n);
static ngx_int_t ngx_dfp_conf_chain(ngx_conf_t *cf, BIO *bio, ngx_str_t *path,
    ngx_array_t *chain);
static ngx_int_t ngx_dfp_conf_der(ngx_conf_t *cf, X509 *x509, dfp_str_t *der);


char *
ngx_dfp_conf_peers_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_str_t  *value;

    if (mcf->peers_allow) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_dfp_conf_networks(cf, mcf, value + 1, cf->args->nelts - 1)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_dfp_conf_default_peers(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    /* RFC 1918, RFC 6598 (used for pods by clouds), RFC 4193 */

    static ngx_str_t  networks[] = {
        ngx_string("10.0.0.0/8"),
        ngx_string("172.16.0.0/12"),
        ngx_string("192.168.0.0/16"),
        ngx_string("100.64.0.0/10"),
        ngx_string("fc00::/7")
    };

    if (mcf->peers_allow) {
        return NGX_OK;
    }

    return ngx_dfp_conf_networks(cf, mcf, networks,
                                 sizeof(networks) / sizeof(networks[0]));
}


static ngx_int_t
ngx_dfp_conf_networks(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t    rc;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    mcf->peers_allow = ngx_array_create(cf->pool, n, sizeof(ngx_cidr_t));
    if (mcf->peers_allow == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        cidr = ngx_array_push(mcf->peers_allow);
        if (cidr == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_peers_allow: invalid address or "
                               "network \"%V\": use, for example, "
                               "10.0.0.0/8", &value[i]);
            return NGX_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "dfpreheat_peers_allow: low address bits of "
                               "%V are meaningless", &value[i]);
        }
    }

    return NGX_OK;
}


/* "2" or "1%" */

char *
ngx_dfp_conf_unreachable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (mcf->unreachable != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    mcf->unreachable_share = (value[1].len
                              && value[1].data[value[1].len - 1] == '%');

    n = ngx_atoi(value[1].data, value[1].len - mcf->unreachable_share);

    if (n == NGX_ERROR || (mcf->unreachable_share && n > 100)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "dfpreheat_unreachable_peers: \"%V\" must be a "
                           "number of peers, or a percentage from 0%% to "
                           "100%%",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    mcf->unreachable = n;

    return NGX_CONF_OK;
}


char *
ngx_dfp_conf_certificates(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dfp_main_conf_t *mcf = conf;

    BIO        *bio;
    ngx_int_t   rc;
    ngx_str_t  *value;

    if (mcf->certificates) {
        return "is duplicate";
    }

    value = cf->args->elts;

    mcf->certificates = ngx_array_create(cf->pool, 2, sizeof(dfp_str_t));

    if (mcf->certificates == NULL
        || ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    bio = BIO_new_file((char *) value[1].data, "r");

    if (bio == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "dfpreheat_certificate_chain: \"%V\" could not be "
                           "opened", &value[1]);
        ERR_clear_error();
        return NGX_CONF_ERROR;
    }

    rc = ngx_dfp_conf_chain(cf, bio, &value[1], mcf->certificates);

    BIO_free(bio);

    return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_dfp_conf_chain(ngx_conf_t *cf, BIO *bio, ngx_str_t *path,
    ngx_array_t *chain)
{
    X509       *x509;
    ngx_int_t   rc;
    dfp_str_t  *der;

    for ( ;; ) {

        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (x509 == NULL) {
            break;
        }

        der = ngx_array_push(chain);
        rc = der ? ngx_dfp_conf_der(cf, x509, der) : NGX_ERROR;

        X509_free(x509);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        if (chain->nelts > NGX_DFP_CERTIFICATES_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dfpreheat_certificate_chain: \"%V\" has more "
                               "than %d certificates", path,
                               NGX_DFP_CERTIFICATES_MAX);
            return NGX_ERROR;
        }
    }

    /* OpenSSL reports the end of a file as a missing start line */

    if (chain->nelts
        && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
    {
        ERR_clear_error();
        return NGX_OK;
    }

    ERR_clear_error();

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "dfpreheat_certificate_chain: \"%V\" must contain PEM "
                       "certificates, but its content is %s", path,
                       chain->nelts ? "broken" : "none");
    return NGX_ERROR;
}


static ngx_int_t
ngx_dfp_conf_der(ngx_conf_t *cf, X509 *x509, dfp_str_t *der)
{
    int      len;
    u_char  *p;

    len = i2d_X509(x509, NULL);

    if (len <= 0) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    der->data = (char *) p;
    der->len = len;

    return i2d_X509(x509, &p) == len ? NGX_OK : NGX_ERROR;
}
