/*
 * A host may close every descriptor that it finds, as daemons do, and reuse the numbers: the library neither uses nor
 * closes the host's descriptors, later steps run, and a step in flight gets a result. When the host dies, no supervisor
 * is left.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { MOST = 64 };

/** The descriptors that the host opens in place of the closed ones. */
enum kind { NOTHING, FILES, NULLS, SOCKETS, PIPES, EPOLLS, KINDS };

static int taken[MOST], partners[MOST], count;

static int make(enum kind kind, int *partner)
{
    char name[32], *path;
    int ends[2] = {-1, -1};
    switch (kind) {
    case FILES:
        snprintf(name, sizeof name, "taken%d", count);
        path = check_path(name);
        ends[0] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        free(path);
        break;
    case NULLS:
        ends[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
        break;
    case SOCKETS:
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        break;
    case PIPES:
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        break;
    default:
        ends[0] = epoll_create1(EPOLL_CLOEXEC);
    }
    REQUIRE(ends[0] >= 0);
    *partner = ends[1];
    return ends[0];
}

/** Closes all descriptors from 3 on, and opens its own under those numbers and beyond. */
static void close_all(enum kind kind)
{
    int open_ones[MOST], found = 0, most = 2;
    for (int fd = 3; fd < 1024 && found < MOST; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            open_ones[found++] = most = fd;
    for (int at = 0; at < found; at++)
        close(open_ones[at]);
    count = 0;
    if (kind == NOTHING)
        return;
    while (count < MOST && (count == 0 || taken[count - 1] <= most)) {
        taken[count] = make(kind, &partners[count]);
        count++;
    }
}

/** Checks that the host's own descriptors are open and that nothing was written to them. */
static void check_taken(enum kind kind)
{
    for (int at = 0; at < count; at++) {
        struct stat status;
        char path[64], *facts;
        if (!CHECK(fstat(taken[at], &status) == 0))
            continue;
        switch (kind) {
        case FILES:
            CHECK(S_ISREG(status.st_mode) && status.st_size == 0 && lseek(taken[at], 0, SEEK_CUR) == 0);
            break;
        case NULLS:
            CHECK(S_ISCHR(status.st_mode));
            break;
        case SOCKETS:
            CHECK(S_ISSOCK(status.st_mode));
            CHECK(send(partners[at], "x", 1, MSG_NOSIGNAL) == 1 && recv(taken[at], path, 2, MSG_DONTWAIT) == 1);
            CHECK(recv(partners[at], path, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
            break;
        case PIPES:
            CHECK(S_ISFIFO(status.st_mode) && write(partners[at], "x", 1) == 1 && read(taken[at], path, 2) == 1);
            break;
        default:
            snprintf(path, sizeof path, "/proc/self/fdinfo/%d", taken[at]);
            facts = read_file(path);
            CHECK(facts != NULL && strstr(facts, "tfd:") == NULL);
            free(facts);
        }
    }
}

static void give_back(void)
{
    for (int at = 0; at < count; at++) {
        close(taken[at]);
        if (partners[at] >= 0)
            close(partners[at]);
    }
    count = 0;
}

static enum kind kind_now;

static void steps_after(void)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            fw_result *result = RUN("echo one; echo two >&2", "exit 3");
            CHECK_EXITED(result, 3);
            CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
            fw_result_free(result);
        }
        close_all(kind_now);
    }
    fw_result *result = RUN("echo one; echo two >&2", "exit 3");
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    check_taken(kind_now);
    give_back();
}

/** Each alone. */
static void one_by_one(void)
{
    for (int fd = 3; fd < 40; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        close(fd);
        taken[0] = make(kind_now, &partners[0]);
        count = 1;
        for (int i = 0; i < 3; i++) {
            fw_result *result = RUN("echo one", "exit 3");
            CHECK_EXITED(result, 3);
            fw_result_free(result);
        }
        check_taken(kind_now);
        give_back();
    }
}

static void in_flight(void)
{
    fw_result_free(RUN("true"));
    remove_file("pid");
    fw_exec *exec = BEGIN("echo $$$$ > pid; exec sleep 100000");
    fw_exec *watched = BEGIN("exec sleep 100000");
    CHECK(fw_exec_fd(watched) >= 0);
    long pid = wait_for_pid("pid");
    close_all(kind_now);
    fw_result *result = finish_step(exec);
    CHECK_INT(fw_result_outcome(result), FW_STATUS_UNKNOWN);
    CHECK_HAS(fw_result_message(result), "has closed the descriptor");
    fw_result_free(result);
    while (lives(pid))
        a_moment();
    fw_exec_cancel(watched);
    result = finish_step(watched);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
    check_taken(kind_now);
    give_back();
    result = RUN("exit 3");
    CHECK_EXITED(result, 3);
    fw_result_free(result);
}

/** This thread already waits when another thread closes all descriptors. */
static void *close_when_it_runs(void *unused)
{
    (void)unused;
    long pid = wait_for_pid("pid");
    for (int i = 0; i < 20; i++)
        a_moment();
    close_all(kind_now);
    write_file("go", "");
    (void)pid;
    return NULL;
}

static void while_it_waits(void)
{
    remove_file("pid");
    remove_file("go");
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, close_when_it_runs, NULL) == 0);
    fw_result *result = RUN("echo $$$$ > pid; until test -e go; do sleep 0.01; done; echo one");
    pthread_join(thread, NULL);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
    check_taken(kind_now);
    give_back();
}

/** The host closes only the pipe of the output. */
static void output_only(void)
{
    remove_file("go");
    fw_exec *exec = BEGIN("trap '' PIPE; until test -e go; do sleep 0.01; done; echo one; exit 0");
    for (int fd = 3; fd < 40; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
            close(fd);
    }
    write_file("go", "");
    fw_result *result = finish_step(exec);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_HAS(fw_result_message(result), "output may be missing");
    json_t *streams = run_command_member(result, 0, "incomplete");
    CHECK_INT(json_array_size(streams), 2);
    json_decref(streams);
    fw_result_free(result);
}

/** The descriptor of fw_exec_fd(), which the host closes and replaces by its own epoll. */
static void exec_fd(void)
{
    remove_file("go");
    fw_exec *exec = BEGIN("until test -e go; do sleep 0.01; done; echo one", "echo two", "exit 3");
    int fd = fw_exec_fd(exec);
    REQUIRE(fd >= 0);
    close(fd);
    taken[0] = make(EPOLLS, &partners[0]);
    count = 1;
    CHECK_INT(taken[0], fd);
    int again = fw_exec_fd(exec);
    CHECK(again >= 0 && again != fd);
    write_file("go", "");
    fw_event *event = NULL;
    CHECK(fw_exec_next_event(exec, -1, &event, NULL) == FW_OK);
    fw_event_free(event);
    fw_result *result = finish_step(exec);
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    check_taken(EPOLLS);
    give_back();
}

/** A host function whose descriptors are closed while it runs: its output does not reach the host's new descriptors. */
static void close_in_function(fw_call *call, void *payload)
{
    (void)payload;
    close_all(kind_now);
    CHECK_INT(fw_call_write(call, FW_STDOUT, "one", 3, NULL), FW_OK);
    CHECK_INT(fw_call_return(call, "1", FW_ZERO_TERMINATED, NULL), FW_OK);
}

static void function(void)
{
    fw_pool *pool = check_pool("[{\"name\": \"c\", \"type\": \"code\"}]");
    fw_error *error = NULL;
    CHECK_OK(fw_function_register(pool, "f", NULL, 0, close_in_function, NULL, NULL, &error), &error);
    fw_step *step = check_step("{\"name\": \"s\", \"action\": {\"func\": \"f\"}}");
    const fw_worker *worker = NULL;
    if (CHECK_OK(fw_pool_get(pool, step, &worker, &error), &error)) {
        fw_result *result = run_exec(worker, step, NULL, check_dir());
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "one");
        fw_result_free(result);
    }
    fw_step_free(step);
    fw_pool_free(pool);
    check_taken(kind_now);
    give_back();
}

/** No process is left when the host is killed. */
static void killed(void)
{
    for (int i = 0; i < 3; i++) {
        close_all(kind_now);
        fw_result_free(RUN("true"));
    }
    (void)BEGIN("exec sleep 100000");
    write_file("ready", "\n");
    for (;;)
        pause();
}

static void check_killed(void)
{
    remove_file("ready");
    pid_t host = start_host(killed);
    while (!has_file("ready"))
        a_moment();
    long supervisors[MOST], monitors[MOST];
    int supervisor_count = find_watchers(host, "fw-supervisor", supervisors, MOST);
    int monitor_count = find_watchers(host, "fw-monitor", monitors, MOST);
    CHECK(supervisor_count > 0 && monitor_count > 0);
    kill(host, SIGKILL);
    host_status(host);
    watchers_until_gone("fw-supervisor", supervisors, supervisor_count);
    watchers_until_gone("fw-monitor", monitors, monitor_count);
    wait_for_nobody();
}

int main(void)
{
    mark_commands();
    for (kind_now = NOTHING; kind_now < KINDS; kind_now++) {
        in_child(steps_after, "steps_after");
        if (kind_now != NOTHING)
            in_child(one_by_one, "one_by_one");
        in_child(in_flight, "in_flight");
        in_child(while_it_waits, "while_it_waits");
        in_child(function, "function");
        check_killed();
    }
    in_child(output_only, "output_only");
    in_child(exec_fd, "exec_fd");
    CHECK_NOBODY();
    return check_done();
}
