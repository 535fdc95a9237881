/* Attempts at namespaces, mounts, keys, and at parts of the kernel that few programs need. */
#include "attempts.h"
#include <linux/perf_event.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>

/* --- namespaces ---------------------------------------------------------------------- */

static int new_user_body(void)
{
    return told(unshare(CLONE_NEWUSER));
}

static int new_user_ns(void)
{
    return in_child(new_user_body);
}

static int new_mounts_body(void)
{
    return told(unshare(CLONE_NEWNS));
}

static int new_mount_ns(void)
{
    return in_child(new_mounts_body);
}

static int ended(long pid)
{
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
    return told(pid);
}

static int clone_user_body(void)
{
    return ended(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static int clone_user_ns(void)
{
    return in_child(clone_user_body);
}

static int clone3_user_body(void)
{
    unsigned long long arguments[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0};
    return ended(syscall(435 /* clone3 */, arguments, sizeof arguments));
}

static int clone3_user_ns(void)
{
    return in_child(clone3_user_body);
}

static int setns_body(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/ipc", facts.sleeper);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : told(setns(fd, 0));
}

static int setns_other(void)
{
    return in_child(setns_body);
}

/* --- mounts -------------------------------------------------------------------------- */

/** Gives the process mounts and a name of the machine of its own, if it may have them, so that nobody else notices what
 * it changes. Without a sandbox nothing is attempted otherwise. */
static int leave_host(void)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0)
        return facts.is_control ? errno : 0;
    return told(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
}

static int mount_body(void)
{
    int answer = leave_host();
    return answer != 0 ? answer : told(mount("none", facts.run, "tmpfs", 0, NULL));
}

static int mount_own(void)
{
    return in_child(mount_body);
}

static int unmount_body(void)
{
    int answer = leave_host();
    return answer != 0 ? answer : told(umount2("/dev", MNT_DETACH));
}

static int unmount_dev(void)
{
    return in_child(unmount_body);
}

static int remount_body(void)
{
    int answer = leave_host();
    return answer != 0 ? answer : told(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int remount_root(void)
{
    return in_child(remount_body);
}

static int chroot_body(void)
{
    return told(chroot(facts.run));
}

static int chroot_own(void)
{
    return in_child(chroot_body);
}

static int open_tree_own(void)
{
    return closed(syscall(428 /* open_tree */, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC));
}

/* --- parts of the kernel -------------------------------------------------------------- */

static int io_uring(void)
{
    char parameters[256] = {0};
    return closed(syscall(425 /* io_uring_setup */, 1, parameters));
}

static int bpf(void)
{
    unsigned attributes[16] = {2 /* an array */, 4, 4, 1};
    return closed(syscall(SYS_bpf, 0 /* BPF_MAP_CREATE */, attributes, sizeof attributes));
}

static int perf_event(void)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_DUMMY, .exclude_kernel = 1};
    return closed(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int userfaultfd_own(void)
{
    return closed(syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */));
}

static int keyctl_session(void)
{
    return told(syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, -3 /* the session's keyring */, NULL, 0));
}

static int add_key_own(void)
{
    return told(syscall(SYS_add_key, "user", "attempts", "x", 1, -2 /* the process's keyring */));
}

/** Into a terminal of one's own, which is the controlling one of one's own session. */
static int tiocsti_body(void)
{
    int mine, theirs;
    char byte = 'x';
    if (openpty(&mine, &theirs, NULL, NULL, NULL) < 0)
        return errno;
    setsid();
    ioctl(theirs, TIOCSCTTY, 0);
    return told(ioctl(theirs, TIOCSTI, &byte));
}

static int tiocsti(void)
{
    return in_child(tiocsti_body);
}

/** To the name that it has. */
static int sethostname_body(void)
{
    char name[256];
    int answer = leave_host();
    if (answer == 0)
        answer = told(gethostname(name, sizeof name));
    return answer != 0 ? answer : told(sethostname(name, strlen(name)));
}

static int sethostname_same(void)
{
    return in_child(sethostname_body);
}

/* --- what stays possible ------------------------------------------------------------- */

/** A program that is no file has the same sandbox. */
static int memfd(void)
{
    return closed(memfd_create("x", MFD_CLOEXEC));
}

static int pty_open(void)
{
    int mine, theirs;
    if (openpty(&mine, &theirs, NULL, NULL, NULL) < 0)
        return errno;
    close(mine);
    close(theirs);
    return 0;
}

/** A program may bound itself further. */
static int own_landlock_body(void)
{
    unsigned long long handled[1] = {1 << 1 /* writing files */};
    long fd = syscall(444 /* landlock_create_ruleset */, handled, sizeof handled, 0);
    if (fd < 0)
        return errno;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return told(syscall(446 /* landlock_restrict_self */, fd, 0));
}

static int own_landlock(void)
{
    return in_child(own_landlock_body);
}

const struct named kernel_attempts[] = {
    {"new_user_ns", new_user_ns},
    {"clone_user_ns", clone_user_ns},
    {"clone3_user_ns", clone3_user_ns},
    {"new_mount_ns", new_mount_ns},
    {"setns", setns_other},
    {"mount", mount_own},
    {"unmount_dev", unmount_dev},
    {"remount_root", remount_root},
    {"chroot", chroot_own},
    {"open_tree", open_tree_own},
    {"io_uring", io_uring},
    {"bpf", bpf},
    {"perf_event", perf_event},
    {"userfaultfd", userfaultfd_own},
    {"keyctl_session", keyctl_session},
    {"add_key", add_key_own},
    {"tiocsti", tiocsti},
    {"sethostname", sethostname_same},
    {"memfd", memfd},
    {"pty", pty_open},
    {"own_landlock", own_landlock},
    {NULL, NULL},
};
