/* Kills its process at a chosen point: right before (even) or right after (odd) one of the calls
 * by which a program changes files, counted from its start. In: KILL_AT in the environment.
 * Loaded before libc by LD_PRELOAD; only the process itself is meant, not the programs it starts.
 * What a process did between two such calls leaves no trace, so these are all the moments at
 * which kill -9 can make a difference on disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>

static atomic_long left = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("KILL_AT");
    if (at)
        atomic_store(&left, strtol(at, 0, 10) + 1);
    unsetenv("KILL_AT");
    unsetenv("LD_PRELOAD");
}

static void point(void)
{
    if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1)
        raise(SIGKILL);
}

#define POINT(type, name, parameters, arguments)                                                   \
    type name parameters                                                                           \
    {                                                                                              \
        type (*real) parameters = (type (*) parameters)dlsym(RTLD_NEXT, #name);                    \
        point();                                                                                   \
        type result = real arguments;                                                              \
        point();                                                                                   \
        return result;                                                                             \
    }

POINT(int, fsync, (int fd), (fd))
POINT(int, fdatasync, (int fd), (fd))
POINT(int, rename, (const char *from, const char *to), (from, to))
POINT(int, link, (const char *from, const char *to), (from, to))
POINT(int, linkat, (int a, const char *from, int b, const char *to, int flags),
      (a, from, b, to, flags))
POINT(int, unlink, (const char *path), (path))
POINT(int, mkdir, (const char *path, mode_t mode), (path, mode))
POINT(int, ftruncate64, (int fd, off_t length), (fd, length))
POINT(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
