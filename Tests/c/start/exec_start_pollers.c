/* One loop that waits only for descriptors brings many steps to their ends, some of them with a second attempt: with
 * poll(2), with select(2), and with epoll(7). */
#include "events.h"

#include <sys/epoll.h>
#include <sys/select.h>

enum { STEPS = 40 };

static struct running {
    fw_exec *exec;
    int fd;
    size_t length; /* of the output */
    bool ended;
} running[STEPS];

/** Waits until some of them are readable, and marks those. */
typedef void (*waiter)(bool readable[STEPS]);

static void with_poll(bool readable[STEPS])
{
    struct pollfd items[STEPS];
    for (int i = 0; i < STEPS; i++)
        items[i] = (struct pollfd){.fd = running[i].ended ? -1 : running[i].fd, .events = POLLIN};
    REQUIRE(poll(items, STEPS, -1) > 0);
    for (int i = 0; i < STEPS; i++)
        readable[i] = items[i].revents != 0;
}

static void with_select(bool readable[STEPS])
{
    fd_set set;
    FD_ZERO(&set);
    int highest = -1;
    for (int i = 0; i < STEPS; i++)
        if (!running[i].ended) {
            REQUIRE(running[i].fd < FD_SETSIZE);
            FD_SET(running[i].fd, &set);
            highest = running[i].fd > highest ? running[i].fd : highest;
        }
    REQUIRE(select(highest + 1, &set, NULL, NULL, NULL) > 0);
    for (int i = 0; i < STEPS; i++)
        readable[i] = !running[i].ended && FD_ISSET(running[i].fd, &set);
}

static int epoll = -1;

static void with_epoll(bool readable[STEPS])
{
    struct epoll_event items[STEPS];
    int count = epoll_wait(epoll, items, STEPS, -1);
    REQUIRE(count > 0);
    for (int i = 0; i < STEPS; i++)
        readable[i] = false;
    for (int i = 0; i < count; i++) {
        readable[items[i].data.u32] = true;
        CHECK(!running[items[i].data.u32]
                   .ended); /* the descriptor stays in the set, because it is never readable again */
    }
}

/** Takes one event at most. */
static void take(int number)
{
    struct running *one = &running[number];
    fw_event *event = event_next(one->exec, 0);
    size_t length = 0;
    if (fw_event_kind(event) == FW_EVENT_OUTPUT) {
        fw_event_data(event, &length);
        one->length += length;
    }
    one->ended = fw_event_kind(event) == FW_EVENT_STEP_ENDED;
    fw_event_free(event);
}

static void drives(waiter wait)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(epoll >= 0);
    for (int i = 0; i < STEPS; i++) {
        char command[200];
        snprintf(command, sizeof command, "head -c %d /dev/zero; exit %d", (i + 1) * 3000, i % 2);
        const char *options = i % 2 == 0 ? NULL : "{\"retries\": {\"max\": 1, \"delay\": 0.01}}";
        running[i] = (struct running){.exec = START(options, "head -c 100000 /dev/zero >&2", command)};
        running[i].fd = fw_exec_fd(running[i].exec);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, running[i].fd, &event) == 0);
    }
    for (int left = STEPS; left > 0;) {
        bool readable[STEPS];
        wait(readable);
        for (int i = 0; i < STEPS; i++)
            if (readable[i]) {
                take(i);
                left -= running[i].ended;
            }
    }
    for (int i = 0; i < STEPS; i++) {
        CHECK_INT(running[i].length, (100000 + (i + 1) * 3000) * (i % 2 == 0 ? 1 : 2));
        CHECK(!fd_readable(running[i].fd));
        fw_result *result = exec_result(running[i].exec);
        CHECK_EXITED(result, i % 2);
        fw_result_free(result);
        fw_exec_free(running[i].exec);
    }
    close(epoll);
}

int main(void)
{
    drives(with_poll);
    drives(with_select);
    drives(with_epoll);
    return check_done();
}
