/* Attempts at processes outside of the sandbox, at its process 1, and at more rights. */
#include "attempts.h"
#include <dirent.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* --- by /proc ------------------------------------------------------------------------ */

static int proc_open(const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", facts.sleeper, name);
    return open_close(path, flags);
}

static int proc_mem(void)
{
    return proc_open("mem", O_RDONLY);
}

static int proc_environ(void)
{
    return proc_open("environ", O_RDONLY);
}

static int proc_maps(void)
{
    return proc_open("maps", O_RDONLY);
}

static int proc_root(void)
{
    return proc_open("root/", O_RDONLY | O_DIRECTORY);
}

static int proc_cwd(void)
{
    return proc_open("cwd/", O_RDONLY | O_DIRECTORY);
}

static int proc_fd(void)
{
    return proc_open("fd/0", O_RDONLY);
}

static int proc_cmdline(void)
{
    return proc_open("cmdline", O_RDONLY);
}

/* --- by its number ------------------------------------------------------------------- */

static int signal_other(void)
{
    return told(kill(facts.sleeper, 0));
}

/** Whoever traces is another process each time, because the control must have let go of the one that sleeps. */
static int trace_body(void)
{
    int answer = told(ptrace(PTRACE_SEIZE, facts.sleeper, 0, 0));
    if (answer != 0)
        return answer;
    ptrace(PTRACE_INTERRUPT, facts.sleeper, 0, 0);
    waitpid(facts.sleeper, NULL, __WALL);
    ptrace(PTRACE_DETACH, facts.sleeper, 0, 0);
    return 0;
}

static int trace(void)
{
    return in_child(trace_body);
}

static int process_vm_readv_other(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)facts.secret, 1};
    return told(process_vm_readv(facts.sleeper, &here, 1, &there, 1, 0));
}

static int pidfd_signal(void)
{
    int fd = (int)syscall(SYS_pidfd_open, facts.sleeper, 0);
    if (fd < 0)
        return errno;
    int answer = told(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    close(fd);
    return answer;
}

static int pidfd_getfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, facts.sleeper, 0);
    if (fd < 0)
        return errno;
    int answer = closed(syscall(438 /* pidfd_getfd */, fd, 0, 0));
    close(fd);
    return answer;
}

/** To what it has. */
static int limit_other(void)
{
    struct rlimit limit;
    if (prlimit(facts.sleeper, RLIMIT_NOFILE, NULL, &limit) < 0)
        return errno;
    return told(prlimit(facts.sleeper, RLIMIT_NOFILE, &limit, NULL));
}

static int setpriority_other(void)
{
    errno = 0;
    int priority = getpriority(PRIO_PROCESS, (id_t)facts.sleeper);
    return errno != 0 ? errno : told(setpriority(PRIO_PROCESS, (id_t)facts.sleeper, priority));
}

static int affinity_other(void)
{
    cpu_set_t set;
    if (sched_getaffinity(facts.sleeper, sizeof set, &set) < 0)
        return errno;
    return told(sched_setaffinity(facts.sleeper, sizeof set, &set));
}

/** What stays: a debugger of one's own children. */
static int own_ptrace(void)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    int answer = told(ptrace(PTRACE_SEIZE, child, 0, 0));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return answer;
}

/* --- what processes share ------------------------------------------------------------ */

static int sysv_memory(void)
{
    void *at = shmat(facts.segment, NULL, SHM_RDONLY);
    if (at == (void *)-1)
        return errno;
    shmdt(at);
    return 0;
}

static int posix_queue(void)
{
    char name[64];
    snprintf(name, sizeof name, "/attempts-%d", facts.tcp_port);
    mqd_t queue = mq_open(name, O_RDONLY | O_CLOEXEC);
    if (queue == (mqd_t)-1)
        return errno;
    mq_close(queue);
    return 0;
}

/** Descriptors from 3 on that this program did not open. */
static int inherited_fds(void)
{
    DIR *list = opendir("/proc/self/fd");
    if (list == NULL)
        return errno;
    int answer = EBADF;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (fd > 2 && fd != dirfd(list))
            answer = 0;
    }
    closedir(list);
    return answer;
}

/* --- process 1 of the sandbox. Outside of one, process 1 is nobody's business, and nothing is attempted -------- */

static bool has_own_init(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino != facts.pid_set;
}

static int init_mem(void)
{
    return has_own_init() ? open_close("/proc/1/mem", O_RDWR) : 0;
}

static int init_environ(void)
{
    return has_own_init() ? open_close("/proc/1/environ", O_RDONLY) : 0;
}

static int init_ptrace_body(void)
{
    return told(ptrace(PTRACE_SEIZE, 1, 0, 0));
}

static int init_ptrace(void)
{
    return has_own_init() ? in_child(init_ptrace_body) : 0;
}

static int init_signal(void)
{
    return has_own_init() ? told(kill(1, 0)) : 0;
}

/* --- rights -------------------------------------------------------------------------- */

/** EPERM says that the process has given up to get more rights by a program. */
static int no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0;
}

static int capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capget, &head, data) < 0)
        return errno;
    unsigned all = 0;
    for (int half = 0; half < 2; half++)
        all |= data[half].effective | data[half].permitted | data[half].inheritable;
    return all != 0 ? 0 : EPERM;
}

/** A program whose file belongs to another user, with whose rights it would run; only root can make one. */
static int setuid_program_body(void)
{
    execl(in(facts.outside, "owned"), "owned", "owner", (char *)NULL);
    return errno;
}

static int setuid_program(void)
{
    int answer = in_child(setuid_program_body);
    return answer == 1 ? EPERM : answer;
}

const struct named process_attempts[] = {
    {"proc_mem", proc_mem},
    {"proc_environ", proc_environ},
    {"proc_maps", proc_maps},
    {"proc_root", proc_root},
    {"proc_cwd", proc_cwd},
    {"proc_fd", proc_fd},
    {"proc_cmdline", proc_cmdline},
    {"signal", signal_other},
    {"ptrace", trace},
    {"process_vm_readv", process_vm_readv_other},
    {"pidfd_signal", pidfd_signal},
    {"pidfd_getfd", pidfd_getfd},
    {"prlimit", limit_other},
    {"setpriority", setpriority_other},
    {"affinity", affinity_other},
    {"own_ptrace", own_ptrace},
    {"sysv_memory", sysv_memory},
    {"posix_queue", posix_queue},
    {"inherited_fds", inherited_fds},
    {"init_mem", init_mem},
    {"init_environ", init_environ},
    {"init_ptrace", init_ptrace},
    {"init_signal", init_signal},
    {"no_new_privs", no_new_privs},
    {"capabilities", capabilities},
    {"setuid_program", setuid_program},
    {NULL, NULL},
};
