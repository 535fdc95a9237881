/* Attempts at files outside of the run directory, and at those of the kernel. */
#include "attempts.h"
#include <pthread.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* --- what stays possible ------------------------------------------------------------- */

static int run_write(void)
{
    return open_close(in(facts.run, "mine"), O_WRONLY | O_CREAT);
}

static int run_rename_across(void)
{
    mkdir(in(facts.run, "sub"), 0700);
    open_close(in(facts.run, "sub/a"), O_WRONLY | O_CREAT);
    return told(rename(in(facts.run, "sub/a"), in(facts.run, "b")));
}

/* --- contents and names -------------------------------------------------------------- */

static int file_write(void)
{
    return open_close(in(facts.outside, "file"), O_WRONLY);
}

static int file_append(void)
{
    return open_close(in(facts.outside, "file"), O_WRONLY | O_APPEND);
}

static int file_truncate(void)
{
    return told(truncate(in(facts.outside, "file"), 4));
}

static int create_and_remove(const char *path)
{
    int answer = open_close(path, O_WRONLY | O_CREAT);
    if (answer == 0)
        unlink(path);
    return answer;
}

static int file_create(void)
{
    return create_and_remove(in(facts.outside, "new"));
}

static int parent_create(void)
{
    return create_and_remove("../new");
}

static int file_remove(void)
{
    int answer = told(unlink(in(facts.outside, "victim")));
    if (answer == 0)
        open_close(in(facts.outside, "victim"), O_WRONLY | O_CREAT);
    return answer;
}

static int file_move_out(void)
{
    open_close(in(facts.run, "out"), O_WRONLY | O_CREAT);
    int answer = told(rename(in(facts.run, "out"), in(facts.outside, "out")));
    unlink(in(facts.outside, "out"));
    return answer;
}

static int file_move_in(void)
{
    int answer = told(rename(in(facts.outside, "victim"), in(facts.run, "victim")));
    if (answer == 0)
        rename(in(facts.run, "victim"), in(facts.outside, "victim"));
    return answer;
}

static int file_link_in(void)
{
    unlink(in(facts.run, "hard"));
    int answer = told(link(in(facts.outside, "file"), in(facts.run, "hard")));
    unlink(in(facts.run, "hard"));
    return answer;
}

static int file_by_symlink(void)
{
    unlink(in(facts.run, "soft"));
    if (symlink(in(facts.outside, "file"), in(facts.run, "soft")) < 0)
        return errno;
    return open_close(in(facts.run, "soft"), O_WRONLY);
}

static int directory_make(void)
{
    int answer = told(mkdir(in(facts.outside, "made"), 0700));
    rmdir(in(facts.outside, "made"));
    return answer;
}

static int fifo_make(void)
{
    int answer = told(mkfifo(in(facts.outside, "pipe"), 0600));
    unlink(in(facts.outside, "pipe"));
    return answer;
}

static volatile bool is_over;

static void *turn_the_link(void *unused)
{
    while (!is_over) {
        if (symlink("mine", in(facts.run, "next")) == 0)
            rename(in(facts.run, "next"), in(facts.run, "turning"));
        if (symlink(in(facts.outside, "file"), in(facts.run, "next")) == 0)
            rename(in(facts.run, "next"), in(facts.run, "turning"));
    }
    return unused;
}

/** Another thread turns a link from a file of the run directory to one outside and back. */
static int link_race(void)
{
    struct stat there, here;
    char turning[PATH_MAX + 16];
    snprintf(turning, sizeof turning, "%s/turning", facts.run); /* in() is the other thread's now */
    if (stat(in(facts.outside, "file"), &there) < 0)
        return errno;
    open_close(in(facts.run, "mine"), O_WRONLY | O_CREAT);
    pthread_t thread;
    is_over = false;
    if (pthread_create(&thread, NULL, turn_the_link, NULL) != 0)
        return EAGAIN;
    int refused = ETIMEDOUT;
    bool is_through = false;
    for (int round = 0; round < 20000 && !is_through; round++) {
        int fd = open(turning, O_WRONLY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
            refused = errno;
        if (fd < 0)
            continue;
        is_through = fstat(fd, &here) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev;
        close(fd);
    }
    is_over = true;
    pthread_join(thread, NULL);
    return is_through ? 0 : refused;
}

/* --- what is said about a file ------------------------------------------------------- */

static int file_mode(void)
{
    return told(chmod(in(facts.outside, "file"), 0600));
}

static int file_owner(void)
{
    return told(chown(in(facts.outside, "file"), geteuid(), (gid_t)-1));
}

static int file_times(void)
{
    struct timespec times[2] = {{1, 0}, {1, 0}};
    return told(utimensat(AT_FDCWD, in(facts.outside, "file"), times, 0));
}

static int file_attribute(void)
{
    return told(setxattr(in(facts.outside, "file"), "user.test", "x", 1, 0));
}

/* --- reading ------------------------------------------------------------------------- */

static int file_read(void)
{
    return open_close(in(facts.outside, "file"), O_RDONLY);
}

static int directory_read(void)
{
    return open_close(facts.outside, O_RDONLY | O_DIRECTORY);
}

/* --- files of the system and of the kernel, which are opened and closed --------------- */

static int etc_write(void)
{
    return open_close("/etc/passwd", O_WRONLY);
}

static int by_proc_root(void)
{
    return open_close(in("/proc/self/root", in(facts.outside, "file")), O_WRONLY);
}

static int by_root_of_other(void)
{
    char root[64];
    snprintf(root, sizeof root, "/proc/%d/root", facts.sleeper);
    return open_close(in(root, in(facts.outside, "file")), O_WRONLY);
}

static int sysctl_write(void)
{
    return open_close("/proc/sys/kernel/hostname", O_WRONLY);
}

static int sysfs_write(void)
{
    return open_close("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY);
}

static int cgroup_write(void)
{
    int answer = open_close("/sys/fs/cgroup/cgroup.procs", O_WRONLY);
    return answer != ENOENT ? answer : open_close("/sys/fs/cgroup/pids/cgroup.procs", O_WRONLY);
}

static int dev_kmsg(void)
{
    return open_close("/dev/kmsg", O_RDONLY);
}

static int dev_mem(void)
{
    return open_close("/dev/mem", O_RDONLY);
}

static int dev_fuse(void)
{
    return open_close("/dev/fuse", O_RDWR);
}

static int dev_tty(void)
{
    return told(access("/dev/tty", F_OK));
}

/** A device with null's own number, in the run directory. */
static int mknod_device(void)
{
    unlink(in(facts.run, "device"));
    int answer = told(mknod(in(facts.run, "device"), S_IFCHR | 0600, (1 << 8) | 3));
    unlink(in(facts.run, "device"));
    return answer;
}

/** A file by its handle, which no directory has to be entered for. */
static int handle_open(void)
{
    union {
        struct file_handle head;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    if (name_to_handle_at(AT_FDCWD, in(facts.outside, "file"), &handle.head, &mount, 0) < 0)
        return errno;
    int directory = open(facts.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int answer = closed(open_by_handle_at(directory, &handle.head, O_RDONLY | O_CLOEXEC));
    close(directory);
    return answer;
}

const struct named file_attempts[] = {
    {"run_write", run_write},
    {"run_rename_across", run_rename_across},
    {"file_write", file_write},
    {"file_append", file_append},
    {"file_truncate", file_truncate},
    {"file_create", file_create},
    {"parent_create", parent_create},
    {"file_remove", file_remove},
    {"file_move_out", file_move_out},
    {"file_move_in", file_move_in},
    {"file_link_in", file_link_in},
    {"file_by_symlink", file_by_symlink},
    {"link_race", link_race},
    {"directory_make", directory_make},
    {"fifo_make", fifo_make},
    {"file_mode", file_mode},
    {"file_owner", file_owner},
    {"file_times", file_times},
    {"file_attribute", file_attribute},
    {"file_read", file_read},
    {"directory_read", directory_read},
    {"handle_open", handle_open},
    {"etc_write", etc_write},
    {"by_proc_root", by_proc_root},
    {"by_root_of_other", by_root_of_other},
    {"sysctl_write", sysctl_write},
    {"sysfs_write", sysfs_write},
    {"cgroup_write", cgroup_write},
    {"dev_kmsg", dev_kmsg},
    {"dev_mem", dev_mem},
    {"dev_fuse", dev_fuse},
    {"dev_tty", dev_tty},
    {"mknod_device", mknod_device},
    {NULL, NULL},
};
