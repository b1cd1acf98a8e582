#include "shared/base/fault.h"

#ifdef TK_FAULTS

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/base/mem.h"
#include "shared/base/str.h"

#define EXIT_LIKE_SIGKILL 137

#define POINT_NAME(name, program) #name,
static const char *const NAMES[TK_FAULT_POINT_COUNT] = {TK_FAULT_POINTS(POINT_NAME)};

static struct tk_fault_control *control;

static struct tk_fault_control *map_shared(const char *path)
{
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0 || ftruncate(fd, sizeof(struct tk_fault_control)) != 0)
        return NULL;
    void *at = mmap(NULL, sizeof(struct tk_fault_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

/* "name:3"; a name that does not exist arms nothing, and the run reports that its point never fired. */
static void arm(const char *text)
{
    const char *colon = text != NULL ? strchr(text, ':') : NULL;
    int64_t n;
    if (colon == NULL || tk_parse_i64(tk_slice_of(colon + 1), &n) || n < 1 || n > INT32_MAX)
        return;
    for (int i = 0; i < TK_FAULT_POINT_COUNT; i++)
        if (tk_slice_eq_str((struct tk_slice){.ptr = text, .len = (size_t)(colon - text)}, NAMES[i]))
            control->points[i].countdown = (int32_t)n;
}

static void set_up(void)
{
    control = map_shared(getenv("FAULT_CONTROL")); /* NOLINT(concurrency-mt-unsafe): nothing here calls setenv */
    if (control == NULL)
        control = tk_alloc(sizeof(*control));
    arm(getenv("CRASH_AT")); /* NOLINT(concurrency-mt-unsafe) */
}

void tk_fault_pass(enum tk_fault_point point)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
    __atomic_add_fetch(&control->points[point].passed, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&control->points[point].countdown, __ATOMIC_RELAXED) <= 0)
        return;
    if (__atomic_sub_fetch(&control->points[point].countdown, 1, __ATOMIC_RELAXED) != 0)
        return;
    __atomic_add_fetch(&control->points[point].crashed, 1, __ATOMIC_RELAXED);
    _exit(EXIT_LIKE_SIGKILL);
}

#endif
