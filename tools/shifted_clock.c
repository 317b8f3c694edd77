/*
 * A wall clock that is wrong, for one nginx: preloaded (LD_PRELOAD), it adds the
 * seconds in DFPREHEAT_CLOCK to what the process is told about the time. The
 * monotonic clock is as it was.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>


static int (*real_clock_gettime)(clockid_t clock, struct timespec *ts);
static long  seconds;


/* nginx forgets its environment soon after. */

__attribute__((constructor))
static void
clock_open(void)
{
    const char  *value;

    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");

    value = getenv("DFPREHEAT_CLOCK");
    seconds = value ? strtol(value, NULL, 10) : 0;
}


int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    if (real_clock_gettime == NULL) {
        clock_open();
    }

    if (real_clock_gettime(clock, ts) != 0) {
        return -1;
    }

    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += seconds;
    }

    return 0;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec  ts;

    (void) zone;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *now)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    if (now != NULL) {
        *now = ts.tv_sec;
    }

    return ts.tv_sec;
}
