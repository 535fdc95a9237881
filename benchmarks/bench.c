#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void add_round(struct rounds *rounds, double ours, double limit)
{
    if (rounds->count == most_rounds)
        give_up("too many rounds");
    rounds->ours[rounds->count] = ours;
    rounds->limit[rounds->count] = limit;
    rounds->count++;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Returns the value below which the given share of the values lies. */
static double quantile(const double *values, size_t count, double share)
{
    double sorted[most_rounds];
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    return sorted[(size_t)((double)(count - 1) * share + 0.5)];
}

static void print_text_row(const char *question, const struct rounds *rounds, const char *format, double ours,
                           double limit)
{
    double ratios[most_rounds];
    for (size_t i = 0; i < rounds->count; i++)
        ratios[i] = rounds->ours[i] / rounds->limit[i];
    printf("row\t%s\t", question);
    printf(format, ours);
    printf("\t");
    printf(format, limit);
    if (limit > 0)
        printf("\t%.2f\t%.2f-%.2f\n", quantile(ratios, rounds->count, 0.5), quantile(ratios, rounds->count, 0.25),
               quantile(ratios, rounds->count, 0.75));
    else
        printf("\t-\t-\n");
    fflush(stdout);
}

void print_row(const char *question, const struct rounds *rounds, const char *format, double scale)
{
    print_text_row(question, rounds, format, quantile(rounds->ours, rounds->count, 0.5) * scale,
                   quantile(rounds->limit, rounds->count, 0.5) * scale);
}

void print_rate_row(const char *question, const struct rounds *rounds, const char *format, double amount)
{
    print_text_row(question, rounds, format, amount / quantile(rounds->ours, rounds->count, 0.5),
                   amount / quantile(rounds->limit, rounds->count, 0.5));
}

void compare(struct rounds *rounds, size_t count, double (*ours)(void *), double (*limit)(void *), void *argument)
{
    rounds->count = 0;
    ours(argument);
    limit(argument);
    for (size_t i = 0; i < count; i++) {
        double first = i % 2 == 0 ? ours(argument) : limit(argument);
        double second = i % 2 == 0 ? limit(argument) : ours(argument);
        add_round(rounds, i % 2 == 0 ? first : second, i % 2 == 0 ? second : first);
    }
}

double proc_bytes(const char *path, const char *field)
{
    char line[256];
    long kilobytes = -1;
    FILE *status = fopen(path, "r");
    if (status == NULL)
        give_up(path);
    while (kilobytes < 0 && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kilobytes = strtol(line + strlen(field), NULL, 10);
    fclose(status);
    if (kilobytes < 0)
        give_up(field);
    return (double)kilobytes * 1024;
}

static double status_bytes(const char *field)
{
    return proc_bytes("/proc/self/status", field);
}

bool hold_memory(size_t megabytes)
{
    size_t size = megabytes << 20;
    /* A tenth more must be free, so that other programs have some. */
    if (proc_bytes("/proc/meminfo", "MemAvailable:") < 1.1 * (double)size) {
        printf("note\tthe machine has not the memory for a host of %zu MB: its figures are left out\n", megabytes);
        return false;
    }
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        give_up("mmap");
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += 4096)
        memory[at] = 1;
    return true;
}

pid_t fork_host(void)
{
    fflush(stdout);
    /* A library that is only loaded also refuses to work in a forked child. It notices forks by a handler, which this
     * system call does not run. */
    pid_t pid = _Fork();
    if (pid < 0)
        give_up("_Fork");
    return pid;
}

void wait_for_host(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        give_up("the process that was measured");
}

void ask_host(void (*work)(void *argument, void *answer), void *argument, void *answer, size_t size)
{
    int ends[2];
    if (pipe(ends) != 0)
        give_up("pipe");
    pid_t pid = fork_host();
    if (pid == 0) {
        work(argument, answer);
        _exit(write(ends[1], answer, size) == (ssize_t)size ? 0 : 1);
    }
    close(ends[1]);
    ssize_t count = read(ends[0], answer, size);
    close(ends[0]);
    wait_for_host(pid);
    if (count != (ssize_t)size)
        give_up("the answer of a process");
}

void allow_descriptors(void)
{
    struct rlimit limits;
    if (getrlimit(RLIMIT_NOFILE, &limits) != 0)
        give_up("getrlimit");
    limits.rlim_cur = limits.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limits) != 0)
        give_up("setrlimit");
}

struct cost {
    double seconds, peak, kept;
};

static double resident_before, resident_kept, stopped_at;

void note_kept(void)
{
    resident_kept = status_bytes("VmRSS:") - resident_before;
}

void stop_clock(void)
{
    stopped_at = seconds_now();
}

struct work {
    void (*work)(void *);
    void *argument;
};

static void measure_cost(void *argument, void *answer)
{
    const struct work *work = argument;
    struct cost cost;
    /* The peak of a forked process starts with its resident memory. */
    resident_before = status_bytes("VmRSS:");
    double start = seconds_now();
    work->work(work->argument);
    cost.seconds = (stopped_at > 0 ? stopped_at : seconds_now()) - start;
    cost.peak = status_bytes("VmHWM:") - resident_before;
    cost.kept = resident_kept;
    /* The kernel counts pages in batches of each processor, so the peak may be a little below what is kept. */
    if (cost.peak < cost.kept)
        cost.peak = cost.kept;
    memcpy(answer, &cost, sizeof cost);
}

static struct cost cost_in_child(void (*work)(void *), void *argument)
{
    struct cost cost;
    ask_host(measure_cost, &(struct work){work, argument}, &cost, sizeof cost);
    return cost;
}

void compare_costs(struct costs *costs, size_t count, void (*ours)(void *), void (*limit)(void *), void *argument)
{
    if (count > 1) {
        cost_in_child(ours, argument);
        cost_in_child(limit, argument);
    }
    for (size_t i = 0; i < count; i++) {
        struct cost first = cost_in_child(i % 2 == 0 ? ours : limit, argument);
        struct cost second = cost_in_child(i % 2 == 0 ? limit : ours, argument);
        const struct cost *our = i % 2 == 0 ? &first : &second, *limits = i % 2 == 0 ? &second : &first;
        add_round(&costs->seconds, our->seconds, limits->seconds);
        add_round(&costs->peak, our->peak, limits->peak);
        add_round(&costs->kept, our->kept, limits->kept);
    }
}

_Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}
