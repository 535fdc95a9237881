/* The first delay is `delay`, each further one is `factor` times the one before, and none exceeds `max_delay`; the
 * events and the result report these delays. */
#include "events.h"

#include <math.h>

/** Checks the first delays of a step that fails in all of its attempts. */
static void delays(const char *retries, size_t count, const double *want, bool is_cancelled)
{
    json_t *members = json_pack("{s:{s:o}}", "options", "retries", json_loads(retries, 0, NULL));
    fw_exec *exec = START_WITH(members, NULL, "exit 3");
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        fw_event *event = event_wait_for(exec, FW_EVENT_RETRY);
        json_t *json = event_json(event), *delay = json_object_get(json, "delay");
        good &= CHECK(json_is_number(delay) && fabs(json_number_value(delay) - want[i]) < 1e-9);
        if (!good)
            fprintf(stderr, "    %s: delay %zu is %g\n", retries, i, json_number_value(delay));
        json_decref(json);
        fw_event_free(event);
    }
    if (is_cancelled)
        fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), is_cancelled ? FW_CANCELLED : FW_EXITED);
    if (!is_cancelled) {
        json_t *json = run_json(result), *attempts = json_object_get(json, "attempts");
        good &= CHECK_INT(json_array_size(attempts), count);
        for (size_t i = 0; i < json_array_size(attempts) && i < count; i++) {
            const json_t *delay = json_object_get(json_array_get(attempts, i), "delay");
            good &= CHECK(fabs(json_number_value(delay) - want[i]) < 1e-9);
        }
        if (!good)
            fprintf(stderr, "    %s\n", retries);
        json_decref(json);
    }
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    delays("{\"max\": 3, \"delay\": 0}", 3, (double[]){0, 0, 0}, false);
    delays("{\"max\": 3, \"delay\": 0.01}", 3, (double[]){0.01, 0.02, 0.04}, false);
    delays("{\"max\": 4, \"delay\": 0.01, \"factor\": 3, \"max_delay\": 0.05}", 4, (double[]){0.01, 0.03, 0.05, 0.05},
           false);
    delays("{\"max\": 3, \"delay\": 0.02, \"factor\": 1}", 3, (double[]){0.02, 0.02, 0.02}, false);
    delays("{\"max\": 3, \"delay\": 0.01, \"factor\": 1.5}", 3, (double[]){0.01, 0.015, 0.0225}, false);
    delays("{\"max\": 2, \"delay\": 100, \"max_delay\": 0}", 2, (double[]){0, 0}, false);
    delays("{\"max\": 2, \"delay\": 5, \"max_delay\": 0.01}", 2, (double[]){0.01, 0.01}, false);
    /* A product beyond the largest number becomes the longest delay. */
    delays("{\"max\": 300, \"delay\": 1e-9, \"factor\": 100, \"max_delay\": 1e-9}", 3, (double[]){1e-9, 1e-9, 1e-9},
           true);
    /* The defaults are long, so the program does not wait for their end. */
    delays("{\"max\": 1}", 1, (double[]){1}, true);
    delays("{\"max\": 1, \"delay\": 86400}", 1, (double[]){60}, true);
    delays("{\"max\": 1, \"delay\": 86400, \"max_delay\": 86400}", 1, (double[]){86400}, true);
    return check_done();
}
