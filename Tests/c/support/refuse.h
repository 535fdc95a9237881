/*
 * refuse.h - making system calls fail with seccomp filters, which needs no tool and no privilege. A filter applies to
 * the thread that installs it and to everything that this thread starts, so a filter that is installed before the first
 * step also applies to the supervisor. It cannot be removed: install it in a child (in_child()).
 */
#ifndef REFUSE_H
#define REFUSE_H

#include "processes.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/** Any first argument. */
#define ANY_ARGUMENT UINT32_MAX

static inline int refuse_load(uint32_t call, uint32_t argument, uint32_t action, unsigned flags)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | (argument == ANY_ARGUMENT ? BPF_JGE : BPF_JEQ) | BPF_K,
                 argument == ANY_ARGUMENT ? 0 : argument, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

/** From now on this call fails with this errno; with an argument, only where that is the first one. */
static inline void refuse_call(long call, uint32_t argument, int error)
{
    if (refuse_load((uint32_t)call, argument, SECCOMP_RET_ERRNO | (uint32_t)error, 0) != 0) {
        printf("this system lets nobody install a seccomp filter\n");
        exit(77);
    }
}

/** Decides about one call by its process and its first argument: 0 permits the call, an errno refuses it. */
typedef int (*refuse_decision)(pid_t pid, int argument);

static atomic_int refuse_listener = -1;
static refuse_decision refuse_decide;

static inline void *refuse_answer(void *unused)
{
    (void)unused;
    for (;;) {
        struct seccomp_notif asked;
        struct seccomp_notif_resp answer;
        memset(&asked, 0, sizeof asked);
        memset(&answer, 0, sizeof answer);
        if (ioctl(refuse_listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
            sched_yield(); /* there is no listener yet, or the process that asked has gone */
            continue;
        }
        int error = refuse_decide((pid_t)asked.pid, (int)asked.data.args[0]);
        answer.id = asked.id;
        answer.error = -error;
        answer.flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
        ioctl(refuse_listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return NULL;
}

/** From now on `decide` decides about each such call of this thread and of everything that it starts, in a thread
 *  without the filter. */
static inline void refuse_some(long call, refuse_decision decide)
{
    refuse_decide = decide;
    /* The thread is started before the filter is installed, so the filter does not apply to it. */
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, refuse_answer, NULL) == 0);
    int listener = refuse_load((uint32_t)call, ANY_ARGUMENT, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener < 0) {
        printf("this system has no seccomp filter that asks\n");
        exit(77);
    }
    fcntl(listener, F_SETFD, FD_CLOEXEC);
    refuse_listener = listener;
}

/** Whether a process has this name. */
static inline bool is_named(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    char *text = read_file(path);
    bool is = text != NULL && strncmp(text, name, strlen(name)) == 0;
    free(text);
    return is;
}

#endif
