/*
 * A host's own epoll drives two runs with several jobs beside a pipe of the host's: commands, functions, and steps for
 * which a large file is copied in slices from another volume. The descriptor of a run is an epoll too. It is readable
 * whenever the run has something to do, so the host never has to look by itself, and it stays silent after the end.
 *
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "function.h"
#include "workflow.h"

#include <sys/epoll.h>

enum { RUNS = 2, PIPE = RUNS, STEPS = 12, SIZE = 20 << 20 };

static int to_host[2];

/** Writes one byte to the pipe of the host, and gives a value. */
static void tell(fw_call *call, void *payload)
{
    (void)payload;
    CHECK_INT(write(to_host[1], "x", 1), 1);
    CHECK_INT(fw_call_return(call, "1", FW_ZERO_TERMINATED, NULL), FW_OK);
}

/** Independent steps: commands, functions, and commands that read the large file of the other volume. */
static char *document(void)
{
    char *text = strdup("");
    for (int i = 0; i < STEPS; i++) {
        char *longer = NULL;
        const char *before = i > 0 ? ", " : "{\"steps\": [";
        if (i % 3 == 0)
            REQUIRE(asprintf(&longer,
                             "%s%s{\"name\": \"c%d\", \"after\": [], \"action\": {\"environment\": \"\", \"commands\": "
                             "[\"echo one\", \"echo two >&2\"]}}",
                             text, before, i) > 0);
        else if (i % 3 == 1)
            REQUIRE(
                asprintf(&longer,
                         "%s%s{\"name\": \"f%d\", \"after\": [], \"action\": {\"func\": \"tell\", \"arg\": \"v%d\"}}",
                         text, before, i, i) > 0);
        else
            REQUIRE(
                asprintf(&longer,
                         "%s%s{\"name\": \"r%d\", \"files\": {\"inputs\": [\"large%d\"], \"outputs\": []}, \"after\": "
                         "[], \"action\": {\"environment\": \"\", \"commands\": [\"wc -c < large%d\"]}}",
                         text, before, i, i, i) > 0);
        free(text);
        text = longer;
    }
    char *whole = NULL;
    REQUIRE(asprintf(&whole, "%s]}", text) > 0);
    free(text);
    return whole;
}

/** A directory with the large files that the steps read. */
static char *store(void)
{
    char *path = check_path("store");
    REQUIRE(mkdir(path, 0777) == 0);
    for (int i = 2; i < STEPS; i += 3) {
        char name[64];
        snprintf(name, sizeof name, "store/large%d", i);
        char *file = check_path(name);
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        REQUIRE(fd >= 0 && ftruncate(fd, SIZE) == 0);
        close(fd);
        free(file);
    }
    return path;
}

static fw_exec *start(fw_pool *pool, const char *steps, const char *from, int number)
{
    char name[32];
    snprintf(name, sizeof name, "run%d", number);
    char *place = check_path(name), *options = NULL;
    REQUIRE(mkdir(place, 0777) == 0);
    json_t *files = json_array();
    for (int i = 2; i < STEPS; i += 3)
        json_array_append_new(files, json_sprintf("large%d", i));
    char *list = json_dumps(files, 0);
    json_decref(files);
    REQUIRE(
        asprintf(&options,
                 "{\"jobs\": 4, \"volumes\": [{\"name\": \"__default__\", \"type\": \"fs\", \"args\": {\"basedir\": "
                 "\"%s\"}}, {\"name\": \"store\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s\"}, \"files\": %s}]}",
                 place, from, list) > 0);
    fw_workflow *workflow = workflow_of(steps);
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_workflow_start(workflow, pool, NULL, NULL, options, FW_ZERO_TERMINATED, &exec, &error), &error);
    REQUIRE(exec != NULL);
    fw_workflow_free(workflow);
    free(options);
    free(list);
    free(place);
    return exec;
}

static void watch(int epoll, int fd, uint32_t number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    REQUIRE(fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

int main(void)
{
    fw_pool *pool = check_pool("[]");
    function_add(pool, "tell", "[]", tell, NULL);
    char *steps = document(), *from = store();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(epoll >= 0 && pipe2(to_host, O_CLOEXEC) == 0);
    watch(epoll, to_host[0], PIPE);
    fw_exec *execs[RUNS];
    for (int i = 0; i < RUNS; i++) {
        execs[i] = start(pool, steps, from, i);
        watch(epoll, fw_exec_fd(execs[i]), (uint32_t)i);
    }
    int over = 0, told = 0, copied = 0, ended = 0;
    while (over < RUNS || told < RUNS * STEPS / 3) {
        struct epoll_event ready[RUNS + 1];
        /* Nothing else wakes the host: a run that was silent with something to do would hang here. */
        int count = epoll_wait(epoll, ready, RUNS + 1, -1);
        REQUIRE(count > 0);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.u32 == PIPE) {
                char byte;
                CHECK_INT(read(to_host[0], &byte, 1), 1);
                told++;
                continue;
            }
            fw_event *event = event_next(execs[ready[i].data.u32], 0);
            copied += fw_event_kind(event) == FW_EVENT_FILE_COPIED;
            ended += fw_event_kind(event) == FW_EVENT_STEP_ENDED;
            over += fw_event_kind(event) == FW_EVENT_RUN_ENDED;
            fw_event_free(event);
        }
    }
    CHECK_INT(told, RUNS * STEPS / 3);
    CHECK_INT(copied, RUNS * STEPS / 3);
    CHECK_INT(ended, RUNS * STEPS);
    for (int i = 0; i < RUNS; i++) {
        fw_result *result = exec_result(execs[i]);
        CHECK_EXITED(result, 0);
        CHECK_INT(fw_result_step_count(result), STEPS);
        fw_result_free(result);
    }
    struct epoll_event ready;
    CHECK_INT(epoll_wait(epoll, &ready, 1, 0), 0);
    for (int i = 0; i < RUNS; i++)
        fw_exec_free(execs[i]);
    fw_pool_free(pool);
    close(epoll);
    close(to_host[0]);
    close(to_host[1]);
    free(steps);
    free(from);
    return check_done();
}
