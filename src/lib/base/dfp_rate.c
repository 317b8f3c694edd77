#include "dfp_rate.h"


#define DFP_RATE_SECOND  1000    /* ms */


void
dfp_rate_init(dfp_rate_t *r, int64_t rate, int64_t now)
{
    r->rate = rate < DFP_RATE_MAX ? rate : DFP_RATE_MAX;
    r->left = 0;
    r->rest = 0;
    r->time = now;
}


void
dfp_rate_pass(dfp_rate_t *r, int64_t now, int64_t most)
{
    int64_t  ms, full;

    ms = now - r->time;

    if (ms <= 0) {
        return;
    }

    r->time = now;

    full = r->rate * most / DFP_RATE_SECOND;

    if (r->left >= full
        || ms > (full - r->left) * DFP_RATE_SECOND / r->rate)
    {
        r->left = full;
        r->rest = 0;
        return;
    }

    r->rest += r->rate * ms;
    r->left += r->rest / DFP_RATE_SECOND;
    r->rest %= DFP_RATE_SECOND;
}


int64_t
dfp_rate_share(dfp_rate_t *r, size_t n)
{
    int64_t  share;

    if (r->left <= 0) {
        return 0;
    }

    share = r->left / (int64_t) n;
    r->left -= share * (int64_t) n;

    return share;
}


void
dfp_rate_return(dfp_rate_t *r, int64_t bytes)
{
    r->left += bytes;
}


int64_t
dfp_rate_wait(const dfp_rate_t *r)
{
    if (r->left >= 0) {
        return 0;
    }

    return (- r->left * DFP_RATE_SECOND + r->rate - 1) / r->rate;
}
