/* start.h - how the limits start a command without posix_spawn, and see its end. */
#ifndef START_H
#define START_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct limit_child {
    int pidfd, out, err;
};

/* Starts `sh -c command` on two pipes. With care it also has what a library must give a command:
 * see clone.c. */
struct limit_child limit_start(const char *command, bool with_care);

/* Takes the exit status of a child that has ended, and closes its pidfd. Anything but 0 ends
 * the benchmark, unless `any` is right. */
void limit_reap(int pidfd, bool any);

void limit_need(bool ok, const char *what);

/* What was read of one pipe, in memory that doubles. */
struct limit_stream {
    char *bytes;
    size_t length, capacity;
};

/* Makes room for so many bytes, and reads once. */
ssize_t limit_read(int fd, struct limit_stream *stream, size_t chunk);

#endif
