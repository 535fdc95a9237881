/* A cancel ends everything in the container, with TERM and, after the grace period, KILL, at any moment and from any
 * thread; the container is gone when the result arrives. Freeing a running exec ends its containers, too. */
#include "engine.h"

#include <pthread.h>

static int gate;

/** The container of the last command is not there any more, at this moment. */
static void check_gone(const fw_result *result, size_t index)
{
    char *name = box_container(result, index);
    CHECK(!engine_has(engine_host(), name));
    CHECK_COMMAND(result, index, "is_ended", json_true());
    CHECK_NONE(engine_host());
    free(name);
}

static void cancelled(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, like_json("{'grace': 60}")), NULL, "echo one",
                              "sh -c 'trap \"echo asked; exit 6\" TERM; echo ready; read line < gate'", "echo never");
    box_await(exec, "ready\n");
    fw_exec_cancel(exec);
    fw_exec_cancel(exec); /* which is no more than once */
    fw_result *result = exec_result(exec);
    CHECK_ENDED(result, FW_CANCELLED, 6);
    CHECK_MESSAGE(result, "step \"s\", command 2 of 3", "cancel");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "ready\nasked\n");
    CHECK_COMMAND(result, 0, "outcome", json_string("exited"));
    CHECK_COMMAND(result, 1, "outcome", json_string("cancelled"));
    CHECK_COMMAND(result, 1, "ended_by", json_string("TERM"));
    check_gone(result, 1);
    fw_result_free(result);
    fw_exec_free(exec);

    exec = BOX_START(in_container(kind, like_json("{'grace': 0}")), NULL,
                     "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'");
    box_await(exec, "ready\n");
    fw_exec_cancel(exec);
    struct events rest = events_of(exec);
    CHECK_SHAPE(&rest, "0:ended step_ended");
    events_free(&rest);
    result = exec_result(exec);
    CHECK_ENDED(result, FW_CANCELLED, -SIGKILL);
    CHECK_COMMAND(result, 0, "ended_by", json_string("KILL"));
    check_gone(result, 0);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** "A command that had ended before stays as it ended", and so does its step. */
static void too_late(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, NULL), NULL, "sh -c 'exit 7'");
    fw_event_free(event_wait_for(exec, FW_EVENT_STEP_ENDED));
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_ENDED(result, FW_EXITED, 7);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** "never after `cancelled`" */
static void not_again(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, like_json("{'retries': {'max': 3, 'delay': 0}}")), NULL,
                              "sh -c 'echo ready; sleep 1000'");
    box_await(exec, "ready\n");
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_ENDED(result, FW_CANCELLED, -SIGTERM);
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "attempts")), 0);
    json_decref(json);
    fw_result_free(result);
    fw_exec_free(exec);
}

static void *cancel_later(void *argument)
{
    static atomic_int count;
    nanosleep(&(struct timespec){.tv_nsec = atomic_fetch_add(&count, 1) * 15000000L % 450000000L}, NULL);
    fw_exec_cancel(argument);
    return NULL;
}

/** Cancels in each phase: while the engine is looked for, and while the container is created, started, running and
 *  removed. */
static void at_any_moment(const char *kind)
{
    for (int i = 0; i < 30; i++) {
        pthread_t thread;
        fw_exec *exec =
            BOX_START(in_container(kind, like_json("{'grace': 60}")), NULL, "true", "sleep 1000", "sleep 1000");
        REQUIRE(pthread_create(&thread, NULL, cancel_later, exec) == 0);
        fw_result *result = exec_result(exec);
        pthread_join(thread, NULL);
        CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
        CHECK(fw_result_returncode(result) != 0);
        CHECK_MESSAGE(result, "cancel");
        CHECK_NONE(engine_host());
        json_t *json = run_json(result), *one;
        size_t index;
        json_array_foreach(json_object_get(json, "commands"), index, one)
            CHECK(json_is_true(json_object_get(one, "is_ended")));
        json_decref(json);
        fw_result_free(result);
        fw_exec_free(exec);
    }
}

/** Cancels before the step has done anything. */
static void at_once(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, NULL), NULL, "echo never");
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_NONE(engine_host());
    fw_result_free(result);
    fw_exec_free(exec);
}

/** "A step that has not ended is cancelled, and nobody waits for it". */
static void freed(const char *kind)
{
    char *path = check_path("asked");
    fw_exec *exec =
        BOX_START(in_container(kind, like_json("{'grace': 5}")), NULL, "true",
                  "sh -c 'trap \"echo asked > asked; exit 6\" TERM; echo ready; read line < gate'", "echo never");
    box_await(exec, "ready\n");
    CHECK(engine_count(engine_host(), getpid()) > 0);
    fw_exec_free(exec);
    NOTHING_LEFT(engine_host());
    char *text = wait_for_line(path); /* TERM came first */
    CHECK_STR(text, "asked\n");
    unlink(path);
    free(text);
    free(path);
    /* A command that ignores TERM. */
    exec = BOX_START(in_container(kind, like_json("{'grace': 1}")), NULL,
                     "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'");
    box_await(exec, "ready\n");
    fw_exec_free(exec);
    NOTHING_LEFT(engine_host());
}

static void freed_at_any_moment(const char *kind)
{
    for (int i = 0; i < 20; i++) {
        fw_exec *exec = BOX_START(in_container(kind, NULL), NULL, "true", "sleep 1000", "sleep 1000");
        for (int turns = 0; turns < i; turns++)
            fw_event_free(event_next(exec, 0.015));
        fw_exec_free(exec);
    }
    /* The next step notices what the engine had not finished when the exec was freed. */
    fw_result *result = BOX(in_container(kind, NULL), "true");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    NOTHING_LEFT(engine_host());
}

int main(void)
{
    engine_host();
    gate = gate_make("gate");
    for (int i = 0; i < 2; i++) {
        const char *kind = box_kinds[i];
        cancelled(kind);
        too_late(kind);
        not_again(kind);
        at_once(kind);
        at_any_moment(kind);
        freed(kind);
        freed_at_any_moment(kind);
    }
    close(gate);
    return engine_done();
}
