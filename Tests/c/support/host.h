/*
 * host.h - the state of the host's process as text, so that two moments can be compared.
 */
#ifndef HOST_H
#define HOST_H

#include "processes.h"

#include <fcntl.h>
#include <sys/prctl.h>

extern char **environ;

static inline void host_add_lines(FILE *out, const char *path, const char *const *prefixes)
{
    char *text = read_file(path), *rest = text;
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;)
        for (const char *const *prefix = prefixes; *prefix != NULL; prefix++)
            if (strncmp(line, *prefix, strlen(*prefix)) == 0)
                fprintf(out, "%s\n", line);
    free(text);
}

static inline void host_add_descriptors(FILE *out)
{
    DIR *directory = opendir("/proc/self/fd");
    for (int fd = 0; directory != NULL && fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if (fd == dirfd(directory) || flags < 0)
            continue;
        char link[64], target[4096] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof target - 1) < 0)
            continue;
        fprintf(out, "descriptor %d: %s, flags %#x %#x\n", fd, target, (unsigned)flags, (unsigned)fcntl(fd, F_GETFD));
    }
    if (directory != NULL)
        closedir(directory);
}

/** Signals that are caught, ignored and blocked, the umask, the number of threads, the user and groups, the
 *  working directory, the environment, the descriptors, and whether orphans come to this
 *  process. To be released with free(). */
static inline char *host_state(void)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        exit(1);
    host_add_lines(
        out, "/proc/self/status",
        (const char *const[]){"SigBlk:", "SigIgn:", "SigCgt:", "Umask:", "Threads:", "Uid:", "Gid:", "Groups:", NULL});
    char *directory = getcwd(NULL, 0);
    fprintf(out, "directory: %s\n", directory ? directory : "?");
    free(directory);
    int reaper = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
    fprintf(out, "subreaper: %d\n", reaper);
    host_add_descriptors(out);
    fprintf(out, "environ: %p\n", (void *)environ);
    for (char **entry = environ; *entry != NULL; entry++)
        fprintf(out, "environment: %s\n", *entry);
    fclose(out);
    return text;
}

/** Runs this program again with this argument and this variable (NULL: none), and checks that it ends with status 0.
 *  The Swift runtime reads the environment only once in the life of a process. */
static inline void run_again_with(const char *name, const char *value, const char *argument)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (name != NULL)
            setenv(name, value, 1);
        execl("/proc/self/exe", "again", argument, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (!CHECK_INT(status, 0))
        fprintf(stderr, "    with %s=%s, %s\n", name ? name : "", value ? value : "", argument);
}

#endif
