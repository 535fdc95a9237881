/*
 * Random steps of all local types from 16 threads, for SOAK_SECONDS (20 by default): shells, words, functions, code in
 * interpreters, workflows with jobs, standard input, spilled output. They are cancelled, freed, timed out and signalled
 * at random moments, the host is forked, other hosts are killed, and supervisors and monitors are killed. Each result
 * has to be one that fits what was done. At the end the machine is as it was at the beginning: no process, descriptor,
 * thread, shared memory or temporary file is left, and the memory does not grow.
 *
 * SOAK_SEED chooses the random numbers; the program prints the seed, and how many steps of each kind there were.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "soak_hosts.h"
#include "soak_steps.h"

#include <pthread.h>

enum { WORKERS = 16 };

/** Bytes by which the memory may grow from the first third of the time to the end. */
#define GROWTH (64l << 20)

static double end_time;

static const struct {
    const char *name;
    void (*run)(struct soaker *self);
    int weight;
} kinds[] = {
    {"shell", by_a_shell, 8},
    {"words", by_words, 8},
    {"cancel", cancelled, 5},
    {"free", freed, 5},
    {"timeout", timed_out, 4},
    {"signal", signalled, 4},
    {"input", with_input, 5},
    {"spill", spilled, 4},
    {"function", by_a_function, 6},
    {"function cancelled", function_cancelled, 3},
    {"interpreter", by_an_interpreter, 2},
    {"workflow", in_a_workflow, 3},
    {"fork", forked, 2},
    {"host killed", host_killed, 1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static atomic_ulong counts[KINDS];

static void *soak(void *argument)
{
    struct soaker *self = argument;
    int sum = 0;
    for (int kind = 0; kind < KINDS; kind++)
        sum += kinds[kind].weight;
    while (now() < end_time && check_failures == 0) {
        int kind = 0;
        for (int at = below(self, sum); at >= kinds[kind].weight; kind++)
            at -= kinds[kind].weight;
        self->kind = kinds[kind].name;
        kinds[kind].run(self);
        atomic_fetch_add(&counts[kind], 1);
    }
    return NULL;
}

static long memory(void)
{
    return status_of(getpid(), "VmRSS:") * 1024;
}

static int entries_of(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        closedir(directory);
    return count;
}

/** The host: everything happens in a child of main(), which then sees what is left. */
static void host(void)
{
    const char *text = getenv("SOAK_SECONDS"), *chosen = getenv("SOAK_SEED");
    double seconds = text != NULL ? atof(text) : 20, started = now();
    unsigned seed = chosen != NULL ? (unsigned)strtoul(chosen, NULL, 10) : (unsigned)(started * 1e6);
    printf("SOAK_SEED=%u, %.0f s\n", seed, seconds);
    fflush(stdout);
    int descriptors = open_descriptors(), threads = own_threads(), shared = entries_of("/dev/shm");
    long first = memory();
    pool = check_pool("{\"workers\": [{\"name\": \"local\", \"type\": \"subprocess\", \"options\": {\"grace\": 0.05}}],"
                      " \"managers\": {\"e\": \"local\"}}");
    function_add(pool, "twice", "[\"n\"]", twice, NULL);
    function_add(pool, "stands", "[]", stands, NULL);
    end_time = started + seconds;
    static struct soaker soakers[WORKERS + 1];
    pthread_t all[WORKERS + 1];
    for (int i = 0; i <= WORKERS; i++) {
        soakers[i].number = i;
        soakers[i].seed = seed + (unsigned)i;
        snprintf(soakers[i].directory, sizeof soakers[i].directory, "%s/%d", check_dir(), i);
        REQUIRE(mkdir(soakers[i].directory, 0777) == 0);
        REQUIRE(pthread_create(&all[i], NULL, i < WORKERS ? soak : kill_watchers, &soakers[i]) == 0);
    }
    long early = 0;
    while (now() < end_time && check_failures == 0) {
        usleep(50000);
        if (early == 0 && now() > started + seconds / 3)
            early = memory();
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(all[i], NULL);
    atomic_store(&is_over, true);
    pthread_join(all[WORKERS], NULL);

    long late = memory();
    fw_pool_free(pool);
    unsigned long steps = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        printf("%s: %lu\n", kinds[kind].name, atomic_load(&counts[kind]));
        steps += atomic_load(&counts[kind]);
    }
    printf("%lu in %.0f s; %lu monitors and %lu supervisors killed, %lu steps failed by that; "
           "memory %ld KiB at the beginning, %ld KiB after a third, %ld KiB at the end\n",
           steps, now() - started, kills_of_monitors, kills_of_supervisors, unknown, first / 1024, early / 1024,
           late / 1024);
    if (kills_of_monitors > 0)
        write_file("killed", "");
    CHECK(early == 0 || late < early + GROWTH);
    /* Threads of functions and descriptors of freed steps go with the steps. */
    while (own_threads() > threads)
        a_moment();
    while (open_descriptors() > descriptors + KEPT_DESCRIPTORS)
        a_moment();
    printf("descriptors: %d at the beginning, %d at the end; threads: %d and %d\n", descriptors, open_descriptors(),
           threads, own_threads());
    CHECK_INT(entries_of("/dev/shm"), shared);
}

/** What goes on where a monitor was killed is the other process of a command, which sleeps. Everything else ends. */
static void look_at_survivors(bool has_kills)
{
    long pids[MOST_WATCHERS];
    int count;
    /* Monitors end what is left, and then themselves; a process whose monitor was killed has this process as parent. */
    for (;;) {
        count = find_processes(is_marked, pids, MOST_WATCHERS);
        bool waits = false;
        for (int i = 0; i < count && i < MOST_WATCHERS; i++)
            waits |= status_of(pids[i], "PPid:") != getpid() || strcmp(name_of(pids[i]), "sleep") != 0;
        if (!waits)
            break;
        a_moment();
    }
    CHECK(count == 0 || has_kills);
    printf("%d processes of commands whose monitor was killed\n", count);
    end_marked();
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "host") == 0)
        return killed_host(arguments[2]);
    /* Whatever loses its parent comes to this process. */
    REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    check_dir();
    pid_t pid = start_host(host);
    CHECK_INT(host_status(pid), 0);
    look_at_survivors(has_file("killed"));
    /* Supervisors and monitors end by themselves, and nobody else is left. */
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    CHECK_INT(errno, ECHILD);
    return check_done();
}
