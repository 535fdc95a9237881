/*
 * The sandbox of a request is checked before anything is made of it: each place, count and length that cannot be is
 * FWSV_AT_REQUEST, and the command does not run. The monitor goes on, and the next request is served.
 *
 * not under asan tsan ubsan valgrind: the agent has no C library, and no tool looks into it
 */
#include "agent.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

/* A block as the library makes it, with a filter that allows everything. Nothing needs a namespace or Landlock, so the
 * command runs wherever there are filters. */
typedef struct {
    fwsv_sandbox head;
    uint32_t room;
    struct sock_filter filter[1];
    uint32_t places[2];
    uint16_t ports[1];
    char strings[6];
} block;

static block good_block(void)
{
    block block;
    memset(&block, 0, sizeof block);
    fwsv_sandbox *head = &block.head;
    head->needed = FWSV_LAYER_FILTER;
    for (int which = 0; which < FWSV_FILTERS; which++) {
        head->filters[which] = offsetof(__typeof__(block), filter);
        head->lengths[which] = 1;
    }
    block.filter[0] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    head->paths = offsetof(__typeof__(block), places);
    head->writes = head->reads = 1;
    memcpy(block.strings, "/\0/", 4);
    block.places[0] = offsetof(__typeof__(block), strings);
    block.places[1] = block.places[0] + 2;
    head->has_ports = head->port_count = 1;
    head->ports = offsetof(__typeof__(block), ports);
    block.ports[0] = 443;
    return block;
}

static void send_block(const block *block, size_t size)
{
    agent_sandbox = block;
    agent_sandbox_size = size;
    AGENT_RUN(false, "echo", "ran");
}

static void runs(void)
{
    block block = good_block();
    send_block(&block, sizeof block);
    if (agent_reply.kind == FWSV_FAILED && agent_reply.stage == FWSV_AT_FILTER) {
        check_skip("this system has no seccomp filters");
        return;
    }
    agent_wait();
    CHECK_INT(agent_reply.status, 0);
    CHECK_INT(agent_reply.layers, FWSV_LAYER_FILTER);
    CHECK_STR(agent_out, "ran\n");
}

static void check_refusal(const char *what)
{
    check_int(agent_reply.kind, FWSV_FAILED, what, __FILE__, __LINE__);
    if (agent_reply.kind == FWSV_STARTED)
        agent_wait();
    check_int(agent_reply.stage, FWSV_AT_REQUEST, what, __FILE__, __LINE__);
    check_int(agent_reply.error, EINVAL, what, __FILE__, __LINE__);
}

/** Sends a block in which one thing is changed. */
#define REFUSED(change)           \
    do {                          \
        block b = good_block();   \
        change;                   \
        send_block(&b, sizeof b); \
        check_refusal(#change);   \
    } while (0)

int main(void)
{
    agent_start();
    runs();
    if (check_skipped)
        return check_done();
    REFUSED(b.head.needed |= FWSV_LAYER_USER);
    REFUSED(b.head.wanted = 1u << 31);
    REFUSED(b.head.paths += 2);
    REFUSED(b.head.paths = sizeof b);
    REFUSED(b.head.paths = UINT32_MAX - 3);
    REFUSED(b.head.writes = UINT32_MAX);
    REFUSED(b.head.writes = 1000);
    REFUSED(b.head.reads = UINT32_MAX - 1);
    REFUSED(b.head.optional_reads = 2);
    REFUSED(b.places[0] = sizeof b);
    REFUSED(b.places[1] = UINT32_MAX);
    REFUSED(b.places[1]++);
    REFUSED(b.strings[sizeof b.strings - 1] = 'x');
    REFUSED(b.head.has_ports = 0);
    REFUSED(b.head.ports++);
    REFUSED(b.head.ports = sizeof b);
    REFUSED(b.head.port_count = UINT32_MAX);
    for (int which = 0; which < FWSV_FILTERS; which++) {
        REFUSED(b.head.filters[which] += 4);
        REFUSED(b.head.filters[which] = sizeof b);
        REFUSED(b.head.filters[which] = UINT32_MAX - 7);
        REFUSED(b.head.lengths[which] = 0);
        REFUSED(b.head.lengths[which] = 4097);
        REFUSED(b.head.lengths[which] = UINT32_MAX);
    }
    /* What is not all there. */
    block block = good_block();
    send_block(&block, sizeof block.head - 1);
    check_refusal("a part of the head");
    agent_sandbox_place = 4;
    send_block(&block, sizeof block);
    check_refusal("a place that is no multiple of 8");
    agent_sandbox_place = UINT32_MAX - 7;
    send_block(&block, sizeof block);
    check_refusal("a place behind the texts");
    agent_sandbox_place = 0;
    runs();
    agent_hang_up();
    return check_done();
}
