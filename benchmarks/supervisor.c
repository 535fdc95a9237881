/*
 * What does it cost to start commands from a helper process, the supervisor, and not from the host?
 *
 *     supervisor [MEGABYTES...]        in hosts with so much memory resident; 0 and 1024 by default
 *
 * Three ways to run the same `sh -c` take turns: a bare posix_spawn; a clone of the host that does for
 * the command all that a foreign host makes necessary (limits/clone.c); the library. The limit of
 * each row is the way that it names last.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { steps_in_a_round = 40, rounds_of_a_question = 24 };
enum { by_spawn, by_clone, by_library, ways };

static const char command[] = "true";

struct host {
    fw_worker *worker;
    fw_step *step;
};

static double run_round(const struct host *host, int way)
{
    if (way == by_spawn)
        return limit_step(command, steps_in_a_round);
    if (way == by_clone)
        return limit_clone_step(command, steps_in_a_round);
    double start = seconds_now();
    for (int i = 0; i < steps_in_a_round; i++) {
        fw_result *result;
        fw_error *error;
        need(fw_worker_exec(host->worker, host->step, NULL, ".", &result, &error), error);
        if (fw_result_returncode(result) != 0)
            give_up(fw_result_message(result));
        fw_result_free(result);
    }
    return seconds_now() - start;
}

static void print_ways(size_t megabytes, const char *words, const struct rounds *rounds)
{
    char text[128];
    snprintf(text, sizeof text, "supervisor: %s, %zu MB resident", words, megabytes);
    print_row(text, rounds, "%.0f us", 1e6 / steps_in_a_round);
}

static void ask(size_t megabytes)
{
    struct host host;
    struct rounds care = {0}, library = {0}, decision = {0};
    if (megabytes > 0 && !hold_memory(megabytes))
        return;
    host.worker = make_worker();
    host.step = make_step(command);
    for (int way = 0; way < ways; way++)
        run_round(&host, way);
    for (int round = 0; round < rounds_of_a_question; round++) {
        double costs[ways];
        /* The order alternates, so that each way comes first equally often. */
        for (int turn = 0; turn < ways; turn++) {
            int way = (round + (round % 2 == 0 ? turn : ways - turn)) % ways;
            costs[way] = run_round(&host, way);
        }
        add_round(&care, costs[by_clone], costs[by_spawn]);
        add_round(&library, costs[by_library], costs[by_spawn]);
        add_round(&decision, costs[by_library], costs[by_clone]);
    }
    print_ways(megabytes, "clone with care, to posix_spawn", &care);
    print_ways(megabytes, "library, to posix_spawn", &library);
    print_ways(megabytes, "library, to clone with care", &decision);
    fw_step_free(host.step);
    fw_worker_free(host.worker);
}

/* Each host is a process of its own. */
static void ask_in_process(size_t megabytes)
{
    pid_t pid = fork_host();
    if (pid == 0) {
        ask(megabytes);
        fflush(stdout);
        _exit(0);
    }
    wait_for_host(pid);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        ask_in_process(0);
        ask_in_process(1024);
    }
    for (int i = 1; i < argc; i++)
        ask_in_process(strtoul(argv[i], NULL, 10));
    return 0;
}
