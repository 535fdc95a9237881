/*
 * The seam of the supervisor: its system calls come here, in the host (fwsv_launch), in supervisors, in monitors and in
 * children that have not called exec yet. The code is in the supervisor's section, and needs nothing outside of it.
 */
#include "raw.h"

#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>

#define HIDDEN __attribute__((visibility("hidden")))

TEXT(fault_environment, "/proc/self/environ");
TEXT(fault_variable, FAULT_VARIABLE "=");

/* A supervisor has no other variable than FW_FAULTS, and the agent of a cluster a few more. */
enum { ROOM = 4096 };

/* Maps the page into a process that has just begun. */
__attribute__((noinline)) static bool map_page(void)
{
    char text[ROOM];
    long fd = raw(__NR_openat, AT_FDCWD, (long)fault_environment, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    long size = raw(__NR_read, fd, (long)text, sizeof text - 1, 0, 0, 0);
    raw(__NR_close, fd, 0, 0, 0, 0, 0);
    if (size <= 0)
        return false;
    text[size] = 0;
    long at = 0, same = 0;
    while (at < size && fault_variable[same] != 0) {
        if (text[at] == fault_variable[same]) {
            at++;
            same++;
            continue;
        }
        same = 0;
        while (at < size && text[at++] != 0)
            ;
    }
    if (fault_variable[same] != 0)
        return false;
    fd = raw(__NR_openat, AT_FDCWD, (long)(text + at), O_RDWR | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return false;
    long page =
        raw(__NR_mmap, (long)FAULT_PAGE, sizeof(fault_page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    raw(__NR_close, fd, 0, 0, 0, 0, 0);
    return !is_error(page);
}

static bool has_page(void)
{
    char resident[(sizeof(fault_page) + 4095) / 4096];
    long result = raw(__NR_mincore, (long)FAULT_PAGE, sizeof(fault_page), (long)resident, 0, 0, 0);
    return result == 0 || map_page();
}

/* Makes a call with fewer bytes. A read of a signalfd, which is one of 128 bytes, has no such outcome. */
static long make_short(long number, long a, long b, long c, long d, long e, long f)
{
    bool has_count = number == __NR_read || number == __NR_write || number == __NR_sendto;
    if (has_count && c > 1 && c != 128)
        c = c > 64 ? c / 2 : 1;
    return raw(number, a, b, c, d, e, f);
}

HIDDEN long fault_raw(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == __NR_exit_group || !has_page())
        return raw(number, a, b, c, d, e, f);
    /* A supervisor finds the page by this variable. */
    if (number == __NR_execveat)
        d = (long)FAULT_PAGE->envp;
    int fault = fault_of(FAULT_PAGE, FAULT_SUPERVISOR, (uint32_t)number);
    if (fault == 0)
        return raw(number, a, b, c, d, e, f);
    if (fault == FAULT_SHORT)
        return make_short(number, a, b, c, d, e, f);
    /* The kernel has closed a descriptor whatever close(2) says. */
    if (number == __NR_close)
        raw(number, a, b, c, d, e, f);
    return -fault;
}

/* The linker leads the calls of fwsv_clone and fwsv_clone_into here. */
HIDDEN long __real_fwsv_clone(unsigned long flags, void *stack_end, int (*body)(void *), void *argument);
HIDDEN long __wrap_fwsv_clone(unsigned long flags, void *stack_end, int (*body)(void *), void *argument)
{
    int fault = has_page() ? fault_of(FAULT_PAGE, FAULT_SUPERVISOR, __NR_clone) : 0;
    return fault > 0 ? -fault : __real_fwsv_clone(flags, stack_end, body, argument);
}

HIDDEN long __real_fwsv_clone_into(int group, unsigned long flags, void *stack, void *stack_end, int (*body)(void *),
                                   void *argument);
HIDDEN long __wrap_fwsv_clone_into(int group, unsigned long flags, void *stack, void *stack_end, int (*body)(void *),
                                   void *argument)
{
    int fault = has_page() ? fault_of(FAULT_PAGE, FAULT_SUPERVISOR, __NR_clone3) : 0;
    return fault > 0 ? -fault : __real_fwsv_clone_into(group, flags, stack, stack_end, body, argument);
}
