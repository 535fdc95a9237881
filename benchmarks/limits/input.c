/* The limit of input: one thread that writes to a command and reads what comes back, with poll and pipes of 1 MiB. */
#define _GNU_SOURCE
#include "limits.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { pipe_size = 1 << 20, chunk = 256 << 10 };

/* Writes once what the pipe has room for, and returns how much is left. The end of the input is when nothing is. */
static size_t give(struct pollfd *end, const char *block, size_t left)
{
    ssize_t count = write(end->fd, block, left < chunk ? left : chunk);
    limit_need(count > 0 || errno == EAGAIN, "write");
    left -= count > 0 ? (size_t)count : 0;
    if (left == 0) {
        close(end->fd);
        end->fd = -1;
    }
    return left;
}

size_t limit_input(const char *program, size_t bytes)
{
    static char block[chunk], output[pipe_size];
    int in[2], out[2], err[2], status;
    limit_need(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe2");
    limit_need(fcntl(in[1], F_SETPIPE_SZ, pipe_size) > 0 && fcntl(out[0], F_SETPIPE_SZ, pipe_size) > 0, "F_SETPIPE_SZ");
    limit_need(fcntl(in[1], F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");

    char *arguments[] = {(char *)program, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    errno = posix_spawnp(&pid, program, &actions, NULL, arguments, environ);
    limit_need(errno == 0, program);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    close(err[1]);

    size_t came = 0;
    struct pollfd ends[] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {in[1], POLLOUT, 0}};
    for (int open = 2; open > 0;) {
        poll(ends, sizeof ends / sizeof *ends, -1);
        if (ends[2].fd >= 0 && ends[2].revents != 0)
            bytes = give(&ends[2], block, bytes);
        for (int i = 0; i < 2; i++) {
            if (ends[i].fd < 0 || ends[i].revents == 0)
                continue;
            ssize_t count = read(ends[i].fd, output, sizeof output);
            if (count > 0) {
                came += (size_t)count;
                continue;
            }
            close(ends[i].fd);
            ends[i].fd = -1;
            open--;
        }
    }
    limit_need(waitpid(pid, &status, 0) == pid && status == 0, "waitpid");
    return came;
}
