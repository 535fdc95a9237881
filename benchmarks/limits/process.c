/* The limits of a step and of its capture: posix_spawn, two pipes, poll, waitpid. */
#define _GNU_SOURCE
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct stream {
    char *bytes;
    size_t length, capacity;
};

static void need(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static ssize_t read_some(int fd, struct stream *stream, size_t chunk)
{
    if (stream->capacity - stream->length < chunk) {
        stream->capacity = stream->capacity != 0 ? stream->capacity * 2 : chunk * 2;
        stream->bytes = realloc(stream->bytes, stream->capacity);
        need(stream->bytes != NULL, "realloc");
    }
    ssize_t count = read(fd, stream->bytes + stream->length, stream->capacity - stream->length);
    if (count > 0)
        stream->length += (size_t)count;
    return count;
}

/* `pipe_size` 0 leaves the pipes as they are. */
static void run(const char *command, int pipe_size, size_t chunk, struct stream streams[2])
{
    int out[2], err[2], status;
    need(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe2");
    if (pipe_size != 0)
        need(fcntl(out[0], F_SETPIPE_SZ, pipe_size) > 0 && fcntl(err[0], F_SETPIPE_SZ, pipe_size) > 0,
             "F_SETPIPE_SZ");

    char *arguments[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    errno = posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environ);
    need(errno == 0, "posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);

    struct pollfd ends[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
    for (int open = 2; open > 0;) {
        poll(ends, 2, -1);
        for (int i = 0; i < 2; i++)
            if (ends[i].fd >= 0 && ends[i].revents != 0 && read_some(ends[i].fd, &streams[i], chunk) <= 0) {
                close(ends[i].fd);
                ends[i].fd = -1;
                open--;
            }
    }
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    if (status != 0) {
        fprintf(stderr, "limit: %s: wait status %d\n", command, status);
        exit(1);
    }
}

double limit_step(const char *command, size_t times)
{
    struct stream streams[2] = {{0}};
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < times; i++) {
        streams[0].length = streams[1].length = 0;
        run(command, 0, 64 << 10, streams);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    free(streams[0].bytes);
    free(streams[1].bytes);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
}

size_t limit_capture(const char *command)
{
    struct stream streams[2] = {{0}};
    run(command, 1 << 20, 1 << 20, streams);
    size_t length = streams[0].length + streams[1].length;
    free(streams[0].bytes);
    free(streams[1].bytes);
    return length;
}
