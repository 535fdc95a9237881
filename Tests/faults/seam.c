/*
 * The seam of the host's side: the linker leads the calls of calls.h here (--wrap), and Tests/faults/build.sh renames
 * the allocations of the library's own code. The Swift runtime's allocations are not among them: Swift ends the process
 * when one fails, so that nothing could be tested.
 *
 * jansson's allocations fail in host.c, which a program may set for all of its process (json_set_alloc_funcs).
 */
#define _GNU_SOURCE
#include "page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers of the calls. */
#define CALL(type, name, errnos, failure, parameters, arguments) AT_##name,
#define PART(type, name, errnos, parameters, arguments) AT_##name,
#define CODE(type, name, errnos, parameters, arguments) AT_##name,
#define SYSTEM(name, errnos) AT_system_##name,
#define HAND(name, errnos) AT_##name,
#define MEMORY(name) AT_##name,
enum {
#include "calls.h"
};
#undef CALL
#undef PART
#undef CODE
#undef SYSTEM
#undef HAND
#undef MEMORY

static int has_page;

static int take(uint32_t call)
{
    return has_page ? fault_of(FAULT_PAGE, FAULT_HOST, call) : 0;
}

/* Fewer bytes. */
static size_t fewer(int fault, size_t count)
{
    if (fault != FAULT_SHORT || count < 2)
        return count;
    return count > 64 ? count / 2 : 1;
}

/* Event and timer descriptors give eight bytes, or have nothing now. */
static int of_piece(int fault, size_t count)
{
    return count == 8 && fault != EINTR && fault != EAGAIN ? 0 : fault;
}

/* The kernel has closed a descriptor whatever close(2) says, and the other end sees the end of a connection whatever
 * shutdown(2) says. */
#define CALL(type, name, errnos, failure, parameters, arguments) \
    type __real_##name parameters;                               \
    type __wrap_##name parameters                                \
    {                                                            \
        int fault = take(AT_##name);                             \
        if (fault == 0)                                          \
            return __real_##name arguments;                      \
        if (AT_##name == AT_close || AT_##name == AT_shutdown)   \
            __real_##name arguments;                             \
        errno = fault;                                           \
        return failure;                                          \
    }
#define PART(type, name, errnos, parameters, arguments) \
    type __real_##name parameters;                      \
    type __wrap_##name parameters                       \
    {                                                   \
        int fault = of_piece(take(AT_##name), n);       \
        n = fewer(fault, n);                            \
        if (fault <= 0)                                 \
            return __real_##name arguments;             \
        errno = fault;                                  \
        return -1;                                      \
    }
#define CODE(type, name, errnos, parameters, arguments)      \
    type __real_##name parameters;                           \
    type __wrap_##name parameters                            \
    {                                                        \
        int fault = take(AT_##name);                         \
        return fault != 0 ? fault : __real_##name arguments; \
    }
#define SYSTEM(name, errnos)
#define HAND(name, errnos)
#define MEMORY(name)
#include "calls.h"
#undef SYSTEM

static int take_system(long number)
{
#define SYSTEM(name, errnos)  \
    if (number == SYS_##name) \
        return take(AT_system_##name);
#undef CALL
#undef PART
#undef CODE
#define CALL(type, name, errnos, failure, parameters, arguments)
#define PART(type, name, errnos, parameters, arguments)
#define CODE(type, name, errnos, parameters, arguments)
#include "calls.h"
    return 0;
}

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    int fault = take_system(number);
    if (fault == 0)
        return __real_syscall(number, a, b, c, d, e, f);
    errno = fault;
    return -1;
}

static int fail(int fault)
{
    errno = fault;
    return -1;
}

/* A descriptor that is watched can be forgotten, and what counts can be changed. */
int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    int fault = operation == EPOLL_CTL_ADD ? take(AT_epoll_ctl) : 0;
    return fault != 0 ? fail(fault) : __real_epoll_ctl(epoll, operation, fd, event);
}

/* What only sets or reads a flag cannot fail. */
int __real_fcntl(int fd, int operation, long argument);
int __wrap_fcntl(int fd, int operation, long argument)
{
    bool can_fail = operation == F_DUPFD_CLOEXEC || operation == F_SETPIPE_SZ || operation == F_ADD_SEALS;
    int fault = can_fail ? take(AT_fcntl) : 0;
    return fault != 0 ? fail(fault) : __real_fcntl(fd, operation, argument);
}

/* After EPIPE the other end has gone. */
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    int fault = take(AT_sendmsg);
    if (fault == 0)
        return __real_sendmsg(fd, message, flags);
    if (fault == EPIPE)
        __real_shutdown(fd, SHUT_RDWR);
    errno = fault;
    return -1;
}

static int has_memory(uint32_t call)
{
    int fault = take(call);
    if (fault != 0)
        errno = fault;
    return fault == 0;
}

void *fault_malloc(size_t size)
{
    return has_memory(AT_malloc) ? malloc(size) : NULL;
}
void *fault_calloc(size_t count, size_t size)
{
    return has_memory(AT_calloc) ? calloc(count, size) : NULL;
}
void *fault_realloc(void *memory, size_t size)
{
    return has_memory(AT_realloc) ? realloc(memory, size) : NULL;
}
char *fault_strdup(const char *text)
{
    return has_memory(AT_strdup) ? strdup(text) : NULL;
}

__attribute__((constructor)) static void map_page(void)
{
    const char *path = getenv(FAULT_VARIABLE);
    if (path == NULL)
        return;
    int fd = __real_open(path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    void *page = mmap(FAULT_PAGE, sizeof(fault_page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    __real_close(fd);
    has_page = page != MAP_FAILED;
}
