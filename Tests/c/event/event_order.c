/* The events of a step come in order: its start; for each command the start, the output and the end; its end. They
 * are numbered from 1, and their times never decrease. */
#include "events.h"

#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/** Checks that the facts of each event agree with its kind. */
static void each_fits(const struct events *events, double before, double after)
{
    double last = 0;
    for (size_t i = 0; i < events->count; i++) {
        const fw_event *event = events->list[i];
        int32_t kind = fw_event_kind(event), command = fw_event_command(event);
        CHECK_INT(fw_event_sequence(event), i + 1);
        CHECK_INT(fw_event_attempt(event), 1);
        double time = fw_event_time(event);
        CHECK(time >= last);
        last = time;
        CHECK(time >= before && time <= after);
        bool is_output = kind == FW_EVENT_OUTPUT;
        size_t length = 7;
        const char *data = fw_event_data(event, &length);
        CHECK((data != NULL) == is_output);
        CHECK((fw_event_stream(event) == 0) == !is_output);
        CHECK((length > 0) == is_output);
        CHECK((command < 0) == (kind == FW_EVENT_STEP_STARTED || kind == FW_EVENT_STEP_ENDED));
        CHECK(command >= -1);
    }
}

static void has_shape(const char *want, int returncode, fw_exec *exec)
{
    double before = now() - 1; /* the clock may be adjusted a little meanwhile */
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, want);
    each_fits(&all, before, now() + 1);
    events_free(&all);
    CHECK(event_next(exec, 0) == NULL);
    CHECK(event_next(exec, -1) == NULL);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, returncode);
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    has_shape("step_started 0:started 0:ended step_ended", 0, START(NULL, "true"));
    has_shape("step_started 0:started 0:output 0:ended step_ended", 0, START(NULL, "echo out; echo err >&2"));
    has_shape("step_started 0:started 0:output 0:ended 1:started 1:ended"
              " 2:started 2:output 2:ended step_ended",
              0, START(NULL, "echo one", "true", "echo three >&2"));

    /* The first command that fails is the last. */
    has_shape("step_started 0:started 0:ended 1:started 1:output 1:ended step_ended", 3,
              START(NULL, "true", "echo bad; exit 3", "echo never"));

    /* All output of a command comes before the event of its end, in any number of pieces. */
    has_shape("step_started 0:started 0:output 0:ended 1:started 1:output 1:ended step_ended", 0,
              START(NULL, "head -c 1000000 /dev/zero", "head -c 1000000 /dev/zero >&2"));

    char *none[] = {NULL};
    has_shape("step_started step_ended", 0, start_commands(NULL, NULL, (const char *const *)none));
    return check_done();
}
