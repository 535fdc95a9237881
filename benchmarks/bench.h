/*
 * bench.h - what the C programs of this directory share: the clock, alternating rounds,
 * children whose memory is their own, and the rows that run.sh makes a table of.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

double seconds_now(void);

/* Makes this many MB resident, like the data of a host, in pages of 4 KiB, whose page tables a fork copies. Returns
 * false, and prints a note, if the machine does not have that much free memory. */
bool hold_memory(size_t megabytes);

/* Forks, and returns what fork(2) returns. The child may use the library if this process has not used it. */
pid_t fork_host(void);

/* Waits for such a child, which must end with status 0. */
void wait_for_host(pid_t pid);

/* Runs `work` in a child of fork_host(), and gets the `size` bytes that it writes to `answer`. */
void ask_host(void (*work)(void *argument, void *answer), void *argument, void *answer, size_t size);

/* Raises the limit of descriptors, because a login allows only 1,024. */
void allow_descriptors(void);

/* The costs of one question in each round, of the library and of the limit, in any unit. */
enum { most_rounds = 64 };
struct rounds {
    size_t count;
    double ours[most_rounds], limit[most_rounds];
};

void add_round(struct rounds *rounds, double ours, double limit);

/* Prints the medians of the values, and the median and the quartiles of the rounds'
 * ratios: no ratio to a limit of 0. `format` prints one value after it was multiplied by `scale`. */
void print_row(const char *question, const struct rounds *rounds, const char *format, double scale);

/* The same for seconds, the values as how much of `amount` was done in each. The ratio is
 * still that of the times. */
void print_rate_row(const char *question, const struct rounds *rounds, const char *format, double amount);

/* Calls the two alternately, each first in every second round, after a round that does
 * not count. Both give seconds. */
void compare(struct rounds *rounds, size_t count, double (*ours)(void *), double (*limit)(void *), void *argument);

/* The same with each call in a process of its own, whose memory is measured too: resident
 * bytes above what was resident before it, at most and when it called note_kept(). The
 * clock stops with the call, or in it with stop_clock(). One round alone has none before it.
 * The processes are forked from this one: see fork_host(). */
struct costs {
    struct rounds seconds, peak, kept;
};

void compare_costs(struct costs *costs, size_t count, void (*ours)(void *), void (*limit)(void *), void *argument);
void note_kept(void);
void stop_clock(void);

/* Returns a field of a file such as /proc/PID/status that is in kB, in bytes. */
double proc_bytes(const char *path, const char *field);

/* Ends the benchmark with a message, because the time of a call that fails means nothing. */
_Noreturn void give_up(const char *what);

#endif
