/*
 * The data of registries: manifest URLs, manifests and indexes, platforms,
 * digests. Sources: the OCI distribution and image specifications (1.1), and
 * Docker's image manifest version 2, schema 2.
 */

#ifndef DFP_OCI_H
#define DFP_OCI_H


#include "dfp_hash.h"
#include "dfp_url.h"


#define DFP_OCI_MAX_NAME       255    /* repository name, bytes */
#define DFP_OCI_MAX_TAG        128
#define DFP_OCI_MAX_DIGEST     136    /* sha512: and 128 hex digits */
#define DFP_OCI_MAX_REFERRED   64     /* of these digits, in the tag of a list of
                                         referrers */
#define DFP_OCI_MAX_ENTRIES    1024   /* manifests of one index */
#define DFP_OCI_MAX_LAYERS     1024   /* layers of one image manifest */
#define DFP_OCI_MAX_PLATFORMS  16     /* platforms of one job */
#define DFP_OCI_MAX_PART       64     /* os, architecture or variant, bytes */
#define DFP_OCI_MAX_TYPE       255    /* media type, bytes */
#define DFP_OCI_MAX_VALUES     65536  /* JSON values of one manifest, about */
#define DFP_OCI_MAX_DEPTH      64     /* of its JSON */
#define DFP_OCI_MAX_LIST       160    /* bytes of the platforms in an error */

/* The size of one blob: the sum over all layers of all entries of an index fits
 * into an int64_t. */
#define DFP_OCI_MAX_SIZE       (INT64_C(1) << 42)


/* https://registry.lan/prefix/v2/library/alpine/manifests/3.19 */
typedef struct {
    dfp_url_t    url;
    dfp_str_t    base;          /* path up to and including "/v2/" */
    dfp_str_t    name;          /* library/alpine */
    dfp_str_t    reference;     /* 3.19, or sha256:... */
    unsigned     by_digest:1;
    unsigned     typed:1;       /* an image reference, which has no scheme:
                                   "https" is a guess */
} dfp_oci_ref_t;


typedef struct {
    dfp_str_t    os;            /* lower case; "" if not given */
    dfp_str_t    arch;          /* normalised: amd64, arm64, arm, 386 ... */
    dfp_str_t    variant;       /* normalised: "" for amd64/v1, arm64/v8 and
                                   arm/v7, which are the defaults */
} dfp_oci_platform_t;


typedef struct {
    dfp_oci_platform_t  list[DFP_OCI_MAX_PLATFORMS];
    size_t              n;      /* 0, and all is not set: not given */
    unsigned            all:1;
} dfp_oci_platforms_t;


typedef struct {
    dfp_str_t           media_type;    /* "" if not given */
    dfp_str_t           digest;        /* well-formed */
    int64_t             size;          /* bytes, 0 to DFP_OCI_MAX_SIZE */
    dfp_oci_platform_t  platform;      /* of entries of an index */
    unsigned            has_platform:1;
    unsigned            attestation:1; /* unknown/unknown, or its annotation */
    unsigned            foreign:1;     /* a layer that has urls, and is not in
                                          the registry */
} dfp_oci_desc_t;


typedef enum {
    DFP_OCI_MANIFEST = 1,       /* config and layers */
    DFP_OCI_INDEX,              /* entries */
    DFP_OCI_SCHEMA1             /* recognized by its type, never parsed */
} dfp_oci_kind_t;


typedef struct {
    dfp_oci_kind_t   kind;
    dfp_str_t        media_type;
    dfp_oci_desc_t   config;    /* MANIFEST */
    dfp_oci_desc_t  *descs;     /* MANIFEST: layers; INDEX: entries */
    size_t           n;
} dfp_oci_manifest_t;


/*
 * Parses a manifest URL; the result is in MEM. The name and the reference must
 * follow the grammar of the distribution specification, and there must be no
 * query string. DFP_INVALID: err begins with WHAT. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_oci_parse_ref(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_ref_t *ref, dfp_err_t *err);

/* Whether PATH, of a URL without a query, is that of a manifest. *REFERENCE
 * points into it, to what follows "/manifests/", and is not checked. */
int dfp_oci_manifest_path(dfp_str_t path, dfp_str_t *reference);

/*
 * Parses an image as users write it: a manifest URL (recognized by "://"), or
 * a reference of docker and containerd, [registry/]name[:tag][@digest], with
 * or without docker:// or oci:// before it.
 *
 * The first part is a registry if it is followed by "/" and has a "." or a
 * ":", or is "localhost". Without a registry, and for docker.io and
 * index.docker.io, the image is one of Docker Hub: the URL begins with
 * https://index.docker.io, and "library/" is added to a name of one part.
 * Without tag and digest the tag is "latest"; a digest takes precedence over a
 * tag. The result is that of https://REGISTRY/v2/NAME/manifests/REFERENCE,
 * with "typed" set. Errors as above.
 */
dfp_rc_t dfp_oci_parse_image(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_ref_t *ref, dfp_err_t *err);

/* TEXT without a leading docker:// or oci://. */
dfp_str_t dfp_oci_reference(dfp_str_t text);

/* The image REF at another ORIGIN, a scheme and a host as
 * http://registry.lan:5000. AT may be REF itself; "typed" is not set. Errors
 * begin with "the origin". */
dfp_rc_t dfp_oci_ref_at(dfp_mem_t *mem, const dfp_oci_ref_t *ref,
    dfp_str_t origin, dfp_oci_ref_t *at, dfp_err_t *err);

/* Whether NAME is a repository's by the grammar of the distribution
 * specification, with at most DFP_OCI_MAX_NAME bytes. */
int dfp_oci_name_valid(dfp_str_t name);

/* Whether S is a tag by the grammar of the distribution specification. */
int dfp_oci_tag_valid(dfp_str_t s);

/* Whether S is a digest that can be verified: sha256 or sha512 with lower-case
 * hexadecimal digits of the right number. */
int dfp_oci_digest_valid(dfp_str_t s);

/* Whether BODY has this digest: DFP_OK, or DFP_DECLINED if it has another one.
 * DFP_INVALID: the digest cannot be verified. DFP_ERROR: OpenSSL failed. */
dfp_rc_t dfp_oci_digest_check(dfp_str_t digest, dfp_str_t body);

/* The digest of BODY in MEM: "sha256:" and 64 digits. DFP_ERROR: no memory, or
 * OpenSSL failed. */
dfp_rc_t dfp_oci_digest_of(dfp_mem_t *mem, dfp_str_t body, dfp_str_t *digest);

/*
 * Verifies the digest of data that arrives in parts. dfp_oci_hash_begin()
 * returns DFP_INVALID if the digest cannot be verified. If it returns DFP_OK,
 * and only then, the caller must call dfp_oci_hash_end() once, and DIGEST must
 * not change until then. dfp_oci_hash_end() returns DFP_OK if the data has the
 * digest, and DFP_DECLINED if it has another one. DFP_ERROR: no memory, or
 * OpenSSL failed.
 */
typedef struct {
    dfp_hash_t   hash;
    dfp_str_t    digest;
} dfp_oci_hash_t;

dfp_rc_t dfp_oci_hash_begin(dfp_oci_hash_t *hash, dfp_str_t digest);
dfp_rc_t dfp_oci_hash_add(dfp_oci_hash_t *hash, const void *data, size_t len);
dfp_rc_t dfp_oci_hash_end(dfp_oci_hash_t *hash);

/* The kind of document that a media type stands for, without its parameters; 0
 * for other types. */
dfp_oci_kind_t dfp_oci_type_kind(dfp_str_t type);

/*
 * Parses a manifest or an index into MEM; the result does not point into BODY.
 * OCI artifacts (any type of config) and zstd layers are accepted.
 *
 * If CONTENT_TYPE is empty or not a manifest's, as application/json, the
 * mediaType in the body decides, and without one, the fields of the body. If
 * both are given they must be equal: otherwise the body could be interpreted
 * in two ways (CVE-2021-41190).
 *
 * DFP_INVALID, with a sentence: schema 1, which is refused by name; more than
 * DFP_OCI_MAX_ENTRIES entries or DFP_OCI_MAX_LAYERS layers; a malformed
 * digest, a negative size, a wrong JSON type; layers in an index, or manifests
 * in a manifest. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_oci_parse_manifest(dfp_mem_t *mem, dfp_str_t body,
    dfp_str_t content_type, dfp_oci_manifest_t *m, dfp_err_t *err);

/*
 * The page of a list of referrers that follows PAGE, by LINK: what the answer to PAGE
 * has in its headers Link (RFC 8288), joined by commas (OCI distribution specification
 * 1.1, "Listing Referrers"). Only the query of the target is taken, so the page is of
 * the same list, whatever LINK says: behind a proxy a registry tells another scheme or
 * host. DFP_DECLINED: PAGE is the last one. DFP_INVALID: the target has another path,
 * no query, or is no URL; err begins with "the list of referrers". DFP_ERROR: no memory.
 */
dfp_rc_t dfp_oci_next_page(dfp_mem_t *mem, const dfp_url_t *page,
    dfp_str_t link, dfp_url_t *next, dfp_err_t *err);

/* Whether a media type says nothing about a manifest: "", application/json,
 * plain text or bytes. The body decides then. */
int dfp_oci_type_open(dfp_str_t type);

/*
 * Checks BODY, which a registry has sent for the manifest REFERENCE with the
 * Content-Type TYPE. If REFERENCE is a digest that can be verified, the body
 * must have it. Otherwise the body must be a manifest or an index, by
 * dfp_oci_parse_manifest(), or, if its type is schema 1, a JSON object.
 * DFP_INVALID: err says why not. What is allocated from MEM is not needed
 * afterwards.
 */
dfp_rc_t dfp_oci_check_manifest(dfp_mem_t *mem, dfp_str_t reference,
    dfp_str_t type, dfp_str_t body, dfp_err_t *err);

/* Checks the parts of a platform and normalises them, in MEM. DFP_INVALID: one
 * is longer than DFP_OCI_MAX_PART, or has other characters than letters,
 * digits, ".", "_" and "-". DFP_ERROR: no memory. */
dfp_rc_t dfp_oci_platform_set(dfp_mem_t *mem, dfp_str_t os, dfp_str_t arch,
    dfp_str_t variant, dfp_oci_platform_t *platform);

static inline int
dfp_oci_platform_eq(const dfp_oci_platform_t *a, const dfp_oci_platform_t *b)
{
    return dfp_str_eq(a->os, b->os) && dfp_str_eq(a->arch, b->arch)
           && dfp_str_eq(a->variant, b->variant);
}

#define DFP_OCI_NO_RANK  -1

/*
 * How well the platform HAS suits a machine of the platform WANTED: 0 is the
 * same one, greater is worse, DFP_OCI_NO_RANK is not at all. amd64/v3 accepts
 * v2, v1 and then 386; arm/v7 accepts v6 and v5; arm64/v9 accepts v8.5 down to
 * v8, and then arm/v8 and below. For other architectures any variant is
 * accepted.
 */
int dfp_oci_platform_rank(const dfp_oci_platform_t *wanted,
    const dfp_oci_platform_t *has);

/*
 * Parses a list of platforms, as "linux/arm64/v8, linux/amd64", or "all", or ""
 * (not given), into MEM. An entry is os/arch[/variant]; both os and arch are
 * required. DFP_INVALID: err begins with WHAT. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_oci_parse_platforms(dfp_mem_t *mem, dfp_str_t text,
    const char *what, dfp_oci_platforms_t *platforms, dfp_err_t *err);

/* The platforms of all indexes of an image, for indexes that are nested. */
typedef struct {
    unsigned char  found[DFP_OCI_MAX_PLATFORMS];  /* of those wanted */
    unsigned       some:1;      /* one was picked as the only platform of its
                                   index */
    size_t         len;
    char           list[DFP_OCI_MAX_LIST];        /* of platforms, for errors */
} dfp_oci_seen_t;


/* Whether an index has entries that are indexes without a platform: only these
 * themselves say which platforms they have. */
int dfp_oci_has_nested(const dfp_oci_manifest_t *m);

/*
 * Picks the entries of an index that are wanted. PICKED has room for m->n
 * indices; *N says how many were picked, in the order of the index.
 *
 * "all" picks all entries. Attestations are picked with nothing else, and
 * entries that are indexes without a platform always. If WANTED is not given,
 * the only platform of an index is picked, or, if there are several, FALLBACK
 * is used. For each platform the best match is picked, by
 * dfp_oci_platform_rank().
 *
 * Without SEEN, DFP_INVALID means that a wanted platform is missing, and
 * cannot be in an index that was picked, or that nothing was picked; err lists
 * the platforms of the index. With SEEN, nothing is missing yet: the platforms
 * are recorded in it, and dfp_oci_missed() is called after all indexes of the
 * image.
 */
dfp_rc_t dfp_oci_pick(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_platforms_t *wanted, const dfp_oci_platforms_t *fallback,
    dfp_oci_seen_t *seen, size_t *picked, size_t *n, dfp_err_t *err);

/* DFP_INVALID, with a sentence as above: a wanted platform is in none of the
 * indexes that SEEN has recorded. */
dfp_rc_t dfp_oci_missed(const dfp_oci_platforms_t *wanted,
    const dfp_oci_platforms_t *fallback, const dfp_oci_seen_t *seen,
    dfp_err_t *err);


#endif /* DFP_OCI_H */
