/*
 * Plain steps where the memory is scarce and 15 busy processes a core want the processors, for SOAK_SECONDS. Two hosts
 * run step after step with one pool; at two other places there is a new host for each step. The steps and the load are
 * in groups with a limit of memory; this process is in none. It looks at each step, and where one has no result after
 * SOAK_PATIENCE seconds (25 by default), it prints what the kernel knows of its processes, and looks at them for ten
 * seconds.
 *
 *     pressure HOST BYTES GROUP [GROUP...]     (pressure.sh makes the groups and starts it; HOST is plain.c)
 *
 * A step may take long here. The run fails if a result is not true, if a step has no result when the others have ended,
 * or if all processes of a step slept while it had none. SOAK_BUSY is another number of busy processes a core.
 */
#include "pressure.h"
#include "stall.h"

static const char *program;

/* ------------------------------------------------------------------- hosts -- */

struct start {
    int number, descriptor;
};

/** Starts hosts one after the other. */
static void begin_hosts(void *argument)
{
    struct start *start = argument;
    char number[16], descriptor[16];
    snprintf(number, sizeof number, "%d", start->number);
    snprintf(descriptor, sizeof descriptor, "%d", start->descriptor);
    do {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            execl(program, program, number, descriptor, check_dir(), (char *)NULL);
            _exit(127);
        }
        int status = 0;
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
            fprintf(stderr, "a host could not be started\n");
            a_moment();
        } else if (status != 0) {
            fprintf(stderr, "a host ended with the status %#x\n", status);
            atomic_fetch_add(&page->wrong, 1);
        }
    } while (start->number >= NEW_FROM && !atomic_load(&page->is_over));
    _exit(0);
}

/* ----------------------------------------------------------------- watcher -- */

/** How many steps were looked at, and of how many all processes slept. */
static long late, asleep;
/** For each place, one more than the number of the step that was looked at last. */
static long printed[PLACES];

struct view {
    struct place *place;
    long step;
};

static bool has_ended(const void *argument)
{
    const struct view *view = argument;
    return atomic_load(&view->place->steps) != view->step;
}

/** Prints what is to be seen of steps that have no result for a long time. */
static void look(long patience)
{
    for (int i = 0; i < PLACES; i++) {
        struct place *place = &page->places[i];
        struct view view = {place, atomic_load(&place->steps)};
        long began = atomic_load(&place->began), host = atomic_load(&place->host);
        if (began == 0 || now() - began < patience || has_ended(&view) || printed[i] == view.step + 1)
            continue;
        printed[i] = view.step + 1;
        fprintf(stderr, "=== a step of the host %ld has no result after %.1f s\n", host, (double)(now() - began) / 1e3);
        print_evidence(host, i >= NEW_FROM);
        late++;
        bool slept = all_sleep(host, has_ended, &view);
        fprintf(stderr, "=== %s\n\n",
                slept              ? "all its processes slept: the result does not come"
                : has_ended(&view) ? "the result has come"
                                   : "its processes go on");
        asleep += slept;
    }
}

static long number_in(const char *path, const char *word)
{
    char *text = read_file(path);
    const char *at = text ? strstr(text, word) : NULL;
    long number = at ? atol(at + strlen(word)) : -1;
    free(text);
    return number;
}

static long killed_for_memory(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/memory.oom_control", groups[0]);
    long number = number_in(path, "\noom_kill ");
    snprintf(path, sizeof path, "%s/memory.events", groups[0]);
    return number >= 0 ? number : number_in(path, "\noom_kill ");
}

/** Whether a process of the groups is left. */
static bool has_processes(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/cgroup.procs", groups[0]);
    char *text = read_file(path);
    bool has = text != NULL && *text != '\0';
    free(text);
    return has;
}

static void print_figures(long started)
{
    long steps = 0, failed = 0, longest = 0, faults;
    for (int i = 0; i < PLACES; i++) {
        const struct place *place = &page->places[i];
        steps += place->steps;
        failed += place->failed;
        longest = place->longest > longest ? place->longest : longest;
        printf("%s: %ld steps, the longest %.1f s\n", i < NEW_FROM ? "one pool" : "a new host for each", place->steps,
               (double)place->longest / 1e3);
    }
    char path[4200];
    snprintf(path, sizeof path, "%s/memory.stat", groups[0]);
    faults = number_in(path, "\npgmajfault ");
    printf(
        "%ld steps in %.0f s: %ld failed with a reason, %ld took more than 1 s, %ld more than 5 s, the longest %.1f s\n"
        "%ld were looked at, because they had no result yet; in %ld of them all processes slept; %ld results are not "
        "true\n"
        "%ld processes were ended for want of memory, and %ld pages of programs were read from the disk again\n",
        steps, (double)(now() - started) / 1e3, failed, page->over_1_s, page->over_5_s, (double)longest / 1e3, late,
        asleep, page->wrong, killed_for_memory(), faults);
}

int main(int count, char **arguments)
{
    REQUIRE(count > 3 && count <= 3 + MOST_GROUPS);
    program = arguments[1];
    limit_of_memory = atol(arguments[2]);
    for (int i = 3; i < count; i++)
        groups[i - 3] = arguments[i];
    const char *text = getenv("SOAK_SECONDS"), *patience = getenv("SOAK_PATIENCE");
    long started = now(), end = started + 1000 * (text ? atol(text) : 20);
    int descriptor = memfd_create("pressure", 0);
    REQUIRE(descriptor >= 0 && ftruncate(descriptor, sizeof *page) == 0 && map_page(descriptor));
    check_dir();
    pid_t *load = calloc((size_t)load_size(), sizeof *load), hosts[PLACES];
    REQUIRE(load != NULL);
    begin_load(load);
    for (int i = 0; i < PLACES; i++)
        hosts[i] = in_groups(begin_hosts, &(struct start){i, descriptor});
    printf("%d busy processes, %ld MiB of memory, %ld s\n", load_size() - READERS - 1, limit_of_memory >> 20,
           (end - started) / 1000);
    fflush(stdout);
    for (; now() < end && page->wrong == 0; usleep(100000))
        look(patience ? atol(patience) * 1000 : 25000);
    atomic_store(&page->is_over, true);
    /* The last steps end under the same load. Where one does not, pressure.sh ends this program. */
    for (int i = 0; i < PLACES; i++)
        for (pid_t ended = 0; ended == 0 || (ended < 0 && errno == EINTR); ended == 0 ? usleep(100000) : 0) {
            look(patience ? atol(patience) * 1000 : 25000);
            ended = waitpid(hosts[i], NULL, WNOHANG);
        }
    end_load(load);
    free(load);
    print_figures(started);
    CHECK_INT(page->wrong, 0);
    CHECK_INT(asleep, 0);
    /* Supervisors end with their hosts. */
    while (has_processes())
        a_moment();
    return check_done();
}
