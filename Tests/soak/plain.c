/*
 * A host of pressure.c, which runs plain steps with one pool until it is told to end, or only one:
 *
 *     plain PLACE DESCRIPTOR DIRECTORY
 */
#include "pressure.h"

/** Runs one plain step. */
static void run_plain(struct place *place, const fw_worker *worker, const char *directory)
{
    long number = atomic_load(&place->steps);
    char command[64], want[64];
    snprintf(command, sizeof command, "for i in 1; do echo %ld; done", number);
    snprintf(want, sizeof want, "%ld\n", number);
    fw_step *step = run_step("s", (const char *const[]){command, NULL});
    fw_result *result = NULL;
    fw_error *error = NULL;
    fw_status status = fw_worker_exec(worker, step, NULL, directory, &result, &error);
    const char *output = status == FW_OK ? fw_result_output(result, FW_STDOUT, 0, NULL) : NULL;
    const char *message = status == FW_OK ? fw_result_message(result) : fw_error_message(error);
    if (status != FW_OK || fw_result_returncode(result) != 0) {
        /* Memory that cannot be had may fail a step, which then says so. */
        atomic_fetch_add(&place->failed, 1);
        fprintf(stderr, "a step failed: %s\n", message ? message : "(no message)");
        if (message == NULL || *message == '\0')
            atomic_fetch_add(&page->wrong, 1);
    } else if (output == NULL || strcmp(output, want) != 0) {
        fprintf(stderr, "a step has the output %s in place of %s\n", output ? output : "(none)", want);
        atomic_fetch_add(&page->wrong, 1);
    }
    fw_result_free(result);
    fw_error_free(error);
    fw_step_free(step);
}

static void take_time(struct place *place)
{
    long took = now() - atomic_load(&place->began);
    if (took > atomic_load(&place->longest))
        atomic_store(&place->longest, took);
    atomic_fetch_add(&page->over_1_s, took > 1000);
    atomic_fetch_add(&page->over_5_s, took > 5000);
    atomic_fetch_add(&place->steps, 1);
    atomic_store(&place->began, 0);
}

int main(int count, char **arguments)
{
    REQUIRE(count == 4 && map_page(atoi(arguments[2])) && close(atoi(arguments[2])) == 0);
    int number = atoi(arguments[1]);
    struct place *place = &page->places[number];
    atomic_store(&place->host, (long)getpid());
    atomic_store(&place->began, now());
    fw_worker *worker = run_worker(NULL);
    for (;;) {
        run_plain(place, worker, arguments[3]);
        take_time(place);
        if (number >= NEW_FROM || atomic_load(&page->is_over))
            break;
        atomic_store(&place->began, now());
    }
    fw_worker_free(worker);
    return check_done();
}
