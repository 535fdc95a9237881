/* If several threads take the events of one step, each event is delivered once, each thread sees increasing numbers,
 * and all threads learn of the end. */
#include "events.h"
#include "threads.h"

static fw_exec *exec;
static struct events taken[THREADS];

static void take(int number)
{
    taken[number] = events_of(exec);
}

static void shared(const char *options, const char *command, size_t bytes)
{
    exec = START(options, command, "echo next", "exit 3");
    in_threads(take);
    struct events all = {NULL, 0};
    size_t count = 0;
    for (int i = 0; i < THREADS; i++)
        count += taken[i].count;
    all.list = calloc(count, sizeof *all.list);
    REQUIRE(all.list != NULL);
    all.count = count;
    for (int i = 0; i < THREADS; i++) {
        uint64_t last = 0;
        for (size_t at = 0; at < taken[i].count; at++) {
            uint64_t sequence = fw_event_sequence(taken[i].list[at]);
            CHECK(sequence > last);
            last = sequence;
            REQUIRE(sequence >= 1 && sequence <= count);
            CHECK(all.list[sequence - 1] == NULL); /* no other thread has taken this event */
            all.list[sequence - 1] = taken[i].list[at];
        }
        free(taken[i].list);
    }
    CHECK_SHAPE(&all,
                "step_started 0:started 0:output 0:ended 1:started 1:output 1:ended 2:started 2:ended step_ended");
    size_t length = 0;
    char *output = events_output(&all, 0, FW_STDOUT, &length);
    CHECK_INT(length, bytes);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 3);
    if (options == NULL)
        CHECK_BYTES(result, FW_STDOUT, 0, output, length);
    fw_result_free(result);
    free(output);
    events_free(&all);
    fw_exec_free(exec);
}

int main(void)
{
    shared(NULL, "seq -f %015.0f 1 200000", 16 * 200000);
    shared("{\"events\": \"lines\"}", "seq -f %014.0f 1 20000", 14 * 20000);
    return check_done();
}
