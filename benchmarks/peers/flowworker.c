/* The library as such a program: one thread, an epoll over fw_exec_fd(). */
#include "peer.h"

#include <flowworker.h>
#include <sys/epoll.h>

enum { most_events = 256 };

static fw_worker *worker;
static fw_step *step;

static void start(int epoll)
{
    fw_exec *exec;
    fw_error *error;
    need(fw_exec_start(worker, step, NULL, ".", "{\"events\": \"none\"}", &exec, &error) == FW_OK, "fw_exec_start");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = exec};
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, fw_exec_fd(exec), &event) == 0, "epoll_ctl");
}

static int has_ended(int epoll, fw_exec *exec)
{
    fw_result *result;
    fw_error *error;
    need(fw_exec_wait(exec, 0, &result, &error) == FW_OK, "fw_exec_wait");
    if (result == NULL)
        return 0;
    need(fw_result_returncode(result) == 0, command);
    epoll_ctl(epoll, EPOLL_CTL_DEL, fw_exec_fd(exec), NULL);
    fw_result_free(result);
    fw_exec_free(exec);
    return 1;
}

int main(int argc, char **argv)
{
    char json[1024];
    fw_error *error;
    size_t running = 0;
    begin(argc, argv);
    snprintf(json, sizeof json, "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"%s\"]}}", command);
    need(fw_worker_create("{\"name\": \"w\", \"type\": \"subprocess\"}", FW_STRLEN, &worker, &error) == FW_OK, "fw_worker_create");
    need(fw_step_create(json, FW_STRLEN, &step, &error) == FW_OK, "fw_step_create");
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (; running < width && one_more(); running++)
        start(epoll);
    while (running > 0) {
        struct epoll_event events[most_events];
        int count = epoll_wait(epoll, events, most_events, -1);
        for (int i = 0; i < count; i++) {
            if (!has_ended(epoll, events[i].data.ptr))
                continue;
            running--;
            if (one_more()) {
                running++;
                start(epoll);
            }
        }
    }
    return end();
}
