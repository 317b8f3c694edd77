/*
 * What a registry speaks: manifest URLs, manifests and indexes, platforms,
 * digests. Sources: the OCI distribution and image specifications (1.1), and
 * Docker's image manifest v2, schema 2.
 */

#ifndef DFP_OCI_H
#define DFP_OCI_H


#include "dfp_hash.h"
#include "dfp_url.h"


#define DFP_OCI_MAX_NAME       255    /* repository name, bytes */
#define DFP_OCI_MAX_TAG        128
#define DFP_OCI_MAX_DIGEST     136    /* sha512: and 128 hex digits */
#define DFP_OCI_MAX_ENTRIES    1024   /* manifests of one index */
#define DFP_OCI_MAX_LAYERS     1024   /* layers of one image manifest */
#define DFP_OCI_MAX_PLATFORMS  16     /* platforms asked for in one job */
#define DFP_OCI_MAX_PART       64     /* os, architecture or variant, bytes */
#define DFP_OCI_MAX_TYPE       255    /* media type, bytes */
#define DFP_OCI_MAX_VALUES     65536  /* JSON values of one manifest, about */
#define DFP_OCI_MAX_DEPTH      64     /* of its JSON */
#define DFP_OCI_MAX_LIST       160    /* bytes of the platforms in an error */

/* One blob; the sizes of all layers of all entries of an index sum up to less
 * than an int64_t holds. */
#define DFP_OCI_MAX_SIZE       (INT64_C(1) << 42)


/* https://registry.lan/prefix/v2/library/alpine/manifests/3.19 */
typedef struct {
    dfp_url_t    url;
    dfp_str_t    base;          /* path up to and including "/v2/" */
    dfp_str_t    name;          /* library/alpine */
    dfp_str_t    reference;     /* 3.19, or sha256:... */
    unsigned     by_digest:1;
    unsigned     typed:1;       /* a reference as people type it: the scheme
                                   is a guess */
} dfp_oci_ref_t;


typedef struct {
    dfp_str_t    os;            /* lower case; "" where not given */
    dfp_str_t    arch;          /* normalised: amd64, arm64, arm, 386 ... */
    dfp_str_t    variant;       /* normalised: "" for amd64/v1, arm64/v8 and
                                   arm/v7, which are what no variant means */
} dfp_oci_platform_t;


typedef struct {
    dfp_oci_platform_t  list[DFP_OCI_MAX_PLATFORMS];
    size_t              n;      /* 0 with all == 0: nothing was asked for */
    unsigned            all:1;
} dfp_oci_platforms_t;


typedef struct {
    dfp_str_t           media_type;    /* "" where not given */
    dfp_str_t           digest;        /* checked: algorithm and hex length */
    int64_t             size;          /* bytes, 0 to DFP_OCI_MAX_SIZE */
    dfp_oci_platform_t  platform;      /* entries of an index only */
    unsigned            has_platform:1;
    unsigned            attestation:1; /* unknown/unknown, or its annotation */
    unsigned            foreign:1;     /* a layer with urls: not in the
                                          registry */
} dfp_oci_desc_t;


typedef enum {
    DFP_OCI_MANIFEST = 1,       /* config and layers */
    DFP_OCI_INDEX,              /* entries */
    DFP_OCI_SCHEMA1             /* a media type only: never parsed */
} dfp_oci_kind_t;


typedef struct {
    dfp_oci_kind_t   kind;
    dfp_str_t        media_type;
    dfp_oci_desc_t   config;    /* MANIFEST */
    dfp_oci_desc_t  *descs;     /* MANIFEST: layers; INDEX: entries */
    size_t           n;
} dfp_oci_manifest_t;


/* A manifest URL, apart; errors begin with WHAT. The name and the reference
 * are checked by the grammar of the distribution specification. A query
 * string is refused. */
dfp_rc_t dfp_oci_parse_ref(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_ref_t *ref, dfp_err_t *err);

/* Whether PATH, that of a URL without its query, is a manifest's. REFERENCE points
 * into it, to what follows "/manifests/", and is not checked. */
int dfp_oci_manifest_path(dfp_str_t path, dfp_str_t *reference);

/*
 * An image as people write it down: a manifest URL (which has "://"), or a
 * reference as docker and containerd read it, [registry/]name[:tag][@digest],
 * with docker:// or oci:// before it or not. The first part is a registry where a "/" follows it, and it has a "." or a
 * ":" or is "localhost" (a bracketed IPv6 address has a ":"). Otherwise, and
 * for docker.io and index.docker.io, it is Docker Hub, which has the URL
 * https://index.docker.io and a name of one part below library/. The tag is
 * "latest" where there is neither tag nor digest; with both, the digest
 * counts. The result is that of https://REGISTRY/v2/NAME/manifests/REFERENCE,
 * and typed. Errors begin with WHAT.
 */
dfp_rc_t dfp_oci_parse_image(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_oci_ref_t *ref, dfp_err_t *err);

/* TEXT without docker:// or oci:// before it. */
dfp_str_t dfp_oci_reference(dfp_str_t text);

/* The same image at another origin, a scheme and a host as
 * http://registry.lan:5000; that is no guess, so AT is not typed. AT may be
 * REF itself. Errors begin with "the origin". */
dfp_rc_t dfp_oci_ref_at(dfp_mem_t *mem, const dfp_oci_ref_t *ref,
    dfp_str_t origin, dfp_oci_ref_t *at, dfp_err_t *err);

/* Whether NAME is that of a repository, at most DFP_OCI_MAX_NAME bytes, by the
 * grammar of the distribution specification. */
int dfp_oci_name_valid(dfp_str_t name);

/* Whether S is a tag by the grammar of the distribution specification. */
int dfp_oci_tag_valid(dfp_str_t s);

/* Whether S is a digest that can be checked: sha256 or sha512, lower-case hex
 * of the right length. */
int dfp_oci_digest_valid(dfp_str_t s);

/* Whether BODY has this digest (DFP_OK), has another (DFP_DECLINED), or the
 * digest is not one that can be checked (DFP_INVALID). */
dfp_rc_t dfp_oci_digest_check(dfp_str_t digest, dfp_str_t body);

/* "sha256:" and the 64 hex digits of BODY. */
dfp_rc_t dfp_oci_digest_of(dfp_mem_t *mem, dfp_str_t body, dfp_str_t *digest);

/*
 * The same of what comes bit by bit. After dfp_oci_hash_begin() has returned
 * DFP_OK (DFP_INVALID: not a digest that can be checked), and only then, it is
 * ended, once; DIGEST has to stay until then. dfp_oci_hash_end() tells whether
 * all that was added has the digest (DFP_OK) or another (DFP_DECLINED).
 */
typedef struct {
    dfp_hash_t   hash;
    dfp_str_t    digest;
} dfp_oci_hash_t;

dfp_rc_t dfp_oci_hash_begin(dfp_oci_hash_t *hash, dfp_str_t digest);
dfp_rc_t dfp_oci_hash_add(dfp_oci_hash_t *hash, const void *data, size_t len);
dfp_rc_t dfp_oci_hash_end(dfp_oci_hash_t *hash);

/* The kind that a media type stands for, its parameters ignored; 0 where it is
 * neither a manifest's nor an index's. */
dfp_oci_kind_t dfp_oci_type_kind(dfp_str_t type);

/*
 * Parses a manifest or an index. CONTENT_TYPE may be empty, or not a
 * manifest's, as application/json (the mediaType in the body, and then its
 * shape, decide; where both are given and differ the body is refused, since
 * they would be read as two things: an OCI attack, CVE-2021-41190). Schema 1
 * is refused by name. More than DFP_OCI_MAX_ENTRIES entries or
 * DFP_OCI_MAX_LAYERS layers, a bad digest, a negative size, a wrong JSON type,
 * or what belongs to the other kind (layers in an index, manifests in a
 * manifest): DFP_INVALID and a sentence. Nothing in the result points into
 * BODY. OCI artifacts (any config type) and zstd layers are fine.
 */
dfp_rc_t dfp_oci_parse_manifest(dfp_mem_t *mem, dfp_str_t body,
    dfp_str_t content_type, dfp_oci_manifest_t *m, dfp_err_t *err);

/* Whether a media type leaves open what it is of: "", application/json, plain text
 * or bytes. The body of a manifest tells, then. */
int dfp_oci_type_open(dfp_str_t type);

/*
 * Whether BODY is what a registry may answer for the manifest REFERENCE with
 * Content-Type TYPE. Of a digest that can be checked: whether the body has it. Else
 * the body must be a manifest or an index, by dfp_oci_parse_manifest(); schema 1,
 * by its type, must be an object of JSON. DFP_INVALID: it is not, and ERR says why.
 * What is allocated in MEM is of no use afterwards.
 */
dfp_rc_t dfp_oci_check_manifest(dfp_mem_t *mem, dfp_str_t reference,
    dfp_str_t type, dfp_str_t body, dfp_err_t *err);

/* Checks the parts of a platform and normalises them. DFP_INVALID: one is
 * longer than DFP_OCI_MAX_PART, or has other bytes than letters, digits, ".",
 * "_" and "-". */
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
 * How well HAS suits a machine that is WANTED: 0 is the same, more is worse, and
 * DFP_OCI_NO_RANK not at all. amd64/v3 takes v2, v1 and then 386; arm/v7 takes
 * v6 and v5; arm64/v9 takes v8.5 down to v8, and then arm/v8 and below.
 * Without a variant any of the same architecture is better than nothing.
 */
int dfp_oci_platform_rank(const dfp_oci_platform_t *wanted,
    const dfp_oci_platform_t *has);

/*
 * "linux/arm64/v8, linux/amd64", "all", or "" (nothing asked for). One entry
 * is os/arch[/variant] or arch alone with os linux is NOT accepted: os/arch is
 * required. Errors begin with WHAT.
 */
dfp_rc_t dfp_oci_parse_platforms(dfp_mem_t *mem, dfp_str_t text,
    const char *what, dfp_oci_platforms_t *platforms, dfp_err_t *err);

/* What an image whose indexes are nested was seen to have, all of them together. */
typedef struct {
    unsigned char  found[DFP_OCI_MAX_PLATFORMS];  /* of those asked for */
    unsigned       some:1;      /* an image was picked without being asked for:
                                   the only platform of its index */
    size_t         len;
    char           list[DFP_OCI_MAX_LIST];        /* the platforms there are */
} dfp_oci_seen_t;


/* Whether an index has others in it which only their own entries tell more
 * about. */
int dfp_oci_has_nested(const dfp_oci_manifest_t *m);

/*
 * Picks the entries of an index that are wanted: PICKED gets m->n places for
 * indices, *N says how many are used, in the order of the index. "all" are all,
 * attestations included, which are picked with nothing else. Entries that are
 * themselves indexes without a platform are always picked. With nothing asked
 * for: a single platform is taken as it is; otherwise FALLBACK is asked for. Of
 * what suits a platform the best is picked: see dfp_oci_platform_rank(). Where
 * one platform that was asked for is not there (and cannot be in an index that was
 * picked), or nothing is left to pick: DFP_INVALID and a sentence that lists
 * what there is. With SEEN nothing is missed here: it is noted what is there, and
 * dfp_oci_missed() tells when all indexes of the image have been seen.
 */
dfp_rc_t dfp_oci_pick(dfp_mem_t *mem, const dfp_oci_manifest_t *m,
    const dfp_oci_platforms_t *wanted, const dfp_oci_platforms_t *fallback,
    dfp_oci_seen_t *seen, size_t *picked, size_t *n, dfp_err_t *err);

/* DFP_INVALID and a sentence, as above, where something is missing. */
dfp_rc_t dfp_oci_missed(const dfp_oci_platforms_t *wanted,
    const dfp_oci_platforms_t *fallback, const dfp_oci_seen_t *seen,
    dfp_err_t *err);


#endif /* DFP_OCI_H */
