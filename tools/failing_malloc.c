/*
 * Memory that ends when a test says so, for the nginx of the sanitizers, which is
 * linked with -Wl,--wrap=malloc and -Wl,--wrap=posix_memalign.
 *
 * DFPREHEAT_MEMORY names a file of two numbers of 64 bits, which all processes of
 * nginx share: how many allocations are left until one fails (0: none fails), and
 * how many there were since the test has set it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


typedef struct {
    int64_t  left;
    int64_t  made;
} memory_t;


void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
int __real_posix_memalign(void **p, size_t alignment, size_t size);
int __wrap_posix_memalign(void **p, size_t alignment, size_t size);


static memory_t  *memory;


/* nginx forgets its environment soon after. */

__attribute__((constructor))
static void
memory_open(void)
{
    int          fd;
    void        *shared;
    const char  *name;

    name = getenv("DFPREHEAT_MEMORY");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR);
    if (fd == -1) {
        abort();
    }

    shared = mmap(NULL, sizeof(memory_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
                  0);
    if (shared == MAP_FAILED) {
        abort();
    }

    memory = shared;
    close(fd);
}


static int
memory_ends(void)
{
    if (memory == NULL) {
        return 0;
    }

    __atomic_add_fetch(&memory->made, 1, __ATOMIC_RELAXED);

    return __atomic_load_n(&memory->left, __ATOMIC_RELAXED) > 0
           && __atomic_sub_fetch(&memory->left, 1, __ATOMIC_RELAXED) == 0;
}


void *
__wrap_malloc(size_t size)
{
    if (memory_ends()) {
        errno = ENOMEM;
        return NULL;
    }

    return __real_malloc(size);
}


int
__wrap_posix_memalign(void **p, size_t alignment, size_t size)
{
    return memory_ends() ? ENOMEM : __real_posix_memalign(p, alignment, size);
}
