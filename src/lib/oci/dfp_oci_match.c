/*
 * The platforms that a machine can run. The rules are those of containerd (its
 * package platforms): a CPU runs what was built for older ones of its kind,
 * and a 64-bit CPU what was built for 32 bits.
 */

#include "dfp_oci.h"


#define DFP_OCI_RANK_32BIT  1000    /* behind all variants of 64 bits */
#define DFP_OCI_RANK_ANY    2000    /* behind all that containerd would take */

#define DFP_OCI_AMD64       1       /* what no variant means */
#define DFP_OCI_ARM         7
#define DFP_OCI_ARM64       8

#define DFP_OCI_ARM_MIN     5
#define DFP_OCI_ARM64_V9    9
#define DFP_OCI_V9_IS_V8    5       /* v9.N has what v8.(N + 5) has, */
#define DFP_OCI_V8_MINOR    9       /* up to v8.9 */
#define DFP_OCI_V9_MINOR    7


typedef struct {
    int  major;
    int  minor;
} dfp_oci_variant_t;


static int dfp_oci_rank_amd64(const dfp_oci_platform_t *wanted,
    const dfp_oci_platform_t *has);
static int dfp_oci_rank_arm(int version, const dfp_oci_platform_t *has);
static int dfp_oci_rank_arm64(const dfp_oci_platform_t *wanted,
    const dfp_oci_platform_t *has);
static int dfp_oci_rank_older(dfp_oci_variant_t wanted, dfp_oci_variant_t has);
static int dfp_oci_arm64_known(dfp_oci_variant_t variant);
static int dfp_oci_version(dfp_str_t variant, int unset);
static int dfp_oci_variant(dfp_str_t text, dfp_oci_variant_t *variant);


int
dfp_oci_platform_rank(const dfp_oci_platform_t *wanted,
    const dfp_oci_platform_t *has)
{
    int  rank, version;

    if (!dfp_str_eq(wanted->os, has->os)) {
        return DFP_OCI_NO_RANK;
    }

    if (dfp_oci_platform_eq(wanted, has)) {
        return 0;
    }

    rank = DFP_OCI_NO_RANK;

    if (dfp_str_eq(wanted->arch, DFP_STR("amd64"))) {
        rank = dfp_oci_rank_amd64(wanted, has);

    } else if (dfp_str_eq(wanted->arch, DFP_STR("arm64"))) {
        rank = dfp_oci_rank_arm64(wanted, has);

    } else if (dfp_str_eq(wanted->arch, DFP_STR("arm"))) {
        version = dfp_oci_version(wanted->variant, DFP_OCI_ARM);
        rank = dfp_oci_rank_arm(version, has);
    }

    if (rank == DFP_OCI_NO_RANK && wanted->variant.len == 0
        && dfp_str_eq(wanted->arch, has->arch))
    {
        return DFP_OCI_RANK_ANY;
    }

    return rank;
}


static int
dfp_oci_rank_amd64(const dfp_oci_platform_t *wanted,
    const dfp_oci_platform_t *has)
{
    int  version, older;

    if (dfp_str_eq(has->arch, DFP_STR("386"))) {
        return has->variant.len ? DFP_OCI_NO_RANK : DFP_OCI_RANK_32BIT;
    }

    if (!dfp_str_eq(has->arch, DFP_STR("amd64"))) {
        return DFP_OCI_NO_RANK;
    }

    version = dfp_oci_version(wanted->variant, DFP_OCI_AMD64);
    older = dfp_oci_version(has->variant, DFP_OCI_AMD64);

    return (older >= DFP_OCI_AMD64 && older < version) ? version - older
                                                       : DFP_OCI_NO_RANK;
}


/* 0 is this very version. */

static int
dfp_oci_rank_arm(int version, const dfp_oci_platform_t *has)
{
    int  older;

    if (!dfp_str_eq(has->arch, DFP_STR("arm"))) {
        return DFP_OCI_NO_RANK;
    }

    older = dfp_oci_version(has->variant, DFP_OCI_ARM);

    return (older >= DFP_OCI_ARM_MIN && older <= version) ? version - older
                                                          : DFP_OCI_NO_RANK;
}


static int
dfp_oci_rank_arm64(const dfp_oci_platform_t *wanted,
    const dfp_oci_platform_t *has)
{
    int                rank;
    dfp_oci_variant_t  newer, older;

    if (!dfp_oci_variant(wanted->variant, &newer)
        || !dfp_oci_arm64_known(newer))
    {
        return DFP_OCI_NO_RANK;
    }

    if (dfp_str_eq(has->arch, DFP_STR("arm64"))) {
        return dfp_oci_variant(has->variant, &older)
               && dfp_oci_arm64_known(older)
               ? dfp_oci_rank_older(newer, older) : DFP_OCI_NO_RANK;
    }

    rank = dfp_oci_rank_arm(DFP_OCI_ARM64, has);

    return rank == DFP_OCI_NO_RANK ? rank : DFP_OCI_RANK_32BIT + rank;
}


static int
dfp_oci_rank_older(dfp_oci_variant_t wanted, dfp_oci_variant_t has)
{
    int  newest;

    if (wanted.major == has.major) {
        return (has.minor <= wanted.minor) ? wanted.minor - has.minor
                                           : DFP_OCI_NO_RANK;
    }

    newest = wanted.minor + DFP_OCI_V9_IS_V8;

    if (newest > DFP_OCI_V8_MINOR) {
        newest = DFP_OCI_V8_MINOR;
    }

    if (wanted.major < has.major || has.minor > newest) {
        return DFP_OCI_NO_RANK;
    }

    return wanted.minor + 1 + newest - has.minor;
}


static int
dfp_oci_arm64_known(dfp_oci_variant_t variant)
{
    switch (variant.major) {

    case DFP_OCI_ARM64:
        return variant.minor <= DFP_OCI_V8_MINOR;

    case DFP_OCI_ARM64_V9:
        return variant.minor <= DFP_OCI_V9_MINOR;

    default:
        return 0;
    }
}


/* v6 is 6, and UNSET is what nothing means; 0 is no version. */

static int
dfp_oci_version(dfp_str_t variant, int unset)
{
    if (variant.len == 0) {
        return unset;
    }

    if (variant.len != 2 || variant.data[0] != 'v' || variant.data[1] < '0'
        || variant.data[1] > '9')
    {
        return 0;
    }

    return variant.data[1] - '0';
}


/* v8 and v8.2 of arm64. */

static int
dfp_oci_variant(dfp_str_t text, dfp_oci_variant_t *variant)
{
    variant->minor = 0;

    if (text.len == 4) {
        if (text.data[2] != '.' || text.data[3] < '0' || text.data[3] > '9') {
            return 0;
        }

        variant->minor = text.data[3] - '0';
        text.len = 2;
    }

    variant->major = dfp_oci_version(text, DFP_OCI_ARM64);

    return variant->major != 0;
}
