/*
 * receiver.h - a program whose processes say which signals they get.
 *
 * A test that includes this header is that program if it is run with an argument (receiver_main). Its main process has
 * a child and a grandchild, which is in a session of its own if the argument is "everywhere". USR1 makes each of them
 * write its name, and USR2 ends it with status 5.
 */
#ifndef RECEIVER_H
#define RECEIVER_H

#include "descendants.h"
#include "input.h"

static inline void receiver_say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(1);
}

static inline void receiver_wait(const char *name, const sigset_t *waited)
{
    for (;;) {
        int number = 0;
        sigwait(waited, &number);
        if (number == SIGUSR2)
            _exit(5);
        receiver_say(name);
    }
}

/** Is the program, if `argc` says so. */
static inline void receiver_main(int argc, char **argv)
{
    if (argc < 2)
        return;
    sigset_t waited;
    sigemptyset(&waited);
    sigaddset(&waited, SIGUSR1);
    sigaddset(&waited, SIGUSR2);
    sigprocmask(SIG_BLOCK, &waited, NULL);
    int ready[2];
    char byte = 0;
    if (pipe(ready) != 0)
        _exit(1);
    if (fork() == 0) {
        if (fork() == 0) {
            if (strcmp(argv[1], "everywhere") == 0)
                setsid();
            if (write(ready[1], &byte, 1) == 1)
                receiver_wait("grandchild\n", &waited);
            _exit(1);
        }
        receiver_wait("child\n", &waited);
    }
    /* The grandchild is there last. */
    if (read(ready[0], &byte, 1) != 1)
        _exit(1);
    receiver_say("ready\n");
    receiver_wait("main\n", &waited);
}

/** Starts the program, and waits until its processes are ready. */
static inline fw_exec *receiver_start(json_t *members, const char *where)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    REQUIRE(length > 0);
    self[length] = '\0';
    fw_worker *worker = run_worker(members);
    fw_step *step = words_step(NULL, (const char *const[]){self, where, NULL});
    fw_exec *exec = start_step(worker, step, "{\"events\": \"lines\"}");
    fw_step_free(step);
    fw_worker_free(worker);
    fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDOUT, "ready");
    fw_event_free(event);
    return exec;
}

/** Waits until each of these processes has written its name, and none another time. */
static inline void receiver_heard(fw_exec *exec, bool main, bool child, bool grandchild)
{
    int heard[3] = {0, 0, 0}, wanted = main + child + grandchild;
    for (int i = 0; i < wanted; i++) {
        fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
        const char *line = fw_event_data(event, NULL);
        heard[line[0] == 'm' ? 0 : line[0] == 'c' ? 1 : 2]++;
        fw_event_free(event);
    }
    CHECK_INT(heard[0], main);
    CHECK_INT(heard[1], child);
    CHECK_INT(heard[2], grandchild);
}

/** Checks a member of the result's command, which is released. */
static inline void receiver_has(const fw_result *result, const char *key, json_t *want)
{
    json_t *value = run_command_member(result, 0, key);
    if (!CHECK_JSON(value, want))
        fprintf(stderr, "    for %s\n", key);
    json_decref(value);
}

#endif
