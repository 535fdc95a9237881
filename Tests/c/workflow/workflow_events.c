/* The descriptor of a workflow's exec is readable exactly while there is something to do, through all steps and the
 * transfers between them, and the events have one sequence. */
#include "workflow.h"

#include <sys/stat.h>

int main(void)
{
    char place[4096], config[8192];
    snprintf(place, sizeof place, "%s/volume", check_dir());
    CHECK_INT(mkdir(place, 0777), 0);
    write_file("volume/in.txt", "from the volume\n");
    snprintf(config, sizeof config,
             "{\"volumes\": [{\"name\": \"v\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s\"}, \"files\": "
             "[\"in.txt\"]}]}",
             place);
    fw_pool *pool = check_pool(config);
    fw_exec *exec = workflow_start(
        "{\"steps\": [" STEP("a", "echo a") ", {\"name\": \"b\", \"files\": {\"inputs\": [\"in.txt\"]}, \"action\": "
                                            "{\"environment\": \"\", \"commands\": [\"cat in.txt\"]}}, {\"name\": "
                                            "\"c\", \"action\": {\"environment\": \"\", "
                                            "\"commands\": []}}]}",
        pool, NULL, "{\"deadline\": 100}");
    int fd = fw_exec_fd(exec);
    CHECK(fd >= 0);
    char shape[1024] = "";
    uint64_t sequence = 0;
    for (bool is_over = false; !is_over;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        CHECK_INT(poll(&item, 1, 100000), 1);
        fw_event *event = NULL;
        while (fw_exec_next_event(exec, 0, &event, NULL) == FW_OK && event != NULL) {
            char one[64];
            CHECK_INT(fw_event_sequence(event), ++sequence);
            const char *name = fw_event_step_name(event); /* an event of the workflow has none */
            snprintf(one, sizeof one, "%d%s:%d ", (int)fw_event_step(event), name ? name : "",
                     (int)fw_event_kind(event));
            strncat(shape, one, sizeof shape - strlen(shape) - 1);
            is_over = fw_event_kind(event) == FW_EVENT_RUN_ENDED;
            fw_event_free(event);
        }
        CHECK_INT(fw_exec_fd(exec), fd);
    }
    CHECK_STR(shape, "-1:8 0a:1 0a:2 0a:3 0a:4 0a:6 1b:10 1b:1 1b:2 1b:3 1b:4 1b:6 2c:1 2c:6 -1:9 ");
    struct pollfd item = {.fd = fd, .events = POLLIN};
    CHECK_INT(poll(&item, 1, 0), 0); /* the descriptor is never readable after the end */
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "from the volume\n");
    fw_result_free(result);
    fw_exec_free(exec);
    fw_pool_free(pool);
    return check_done();
}
