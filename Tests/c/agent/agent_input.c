/*
 * The agent of the slurm worker gives a command what the host sends, and only as fast as the command reads it. A
 * command that does not read, that closes its input, or that has ended never stops the link: output, signals and a stop
 * come through.
 *
 * not under asan tsan ubsan valgrind: the agent has no C library, and no tool looks into it
 */
#include "agent.h"

static char bytes[8 << 20];

/** What a command has read is what was sent, whatever the bytes are. */
static void all_of_it(void)
{
    agent_start();
    uint32_t number = 1;
    for (size_t at = 0; at < sizeof bytes; at++)
        bytes[at] = (char)((number = number * 1664525 + 1013904223) >> 24);
    AGENT_RUN(true, "cat");
    for (size_t at = 0; at < sizeof bytes;) {
        size_t count = agent_feed(bytes + at, sizeof bytes - at);
        if (count == 0)
            REQUIRE(agent_receive());
        at += count;
    }
    agent_feed_end();
    agent_wait();
    CHECK_INT(agent_reply.status, 0);
    CHECK_INT(agent_out_size, sizeof bytes);
    CHECK(memcmp(agent_out, bytes, sizeof bytes) == 0);
    CHECK(!agent_closed);
    agent_hang_up();
}

/** Without bytes there is only the end; and a command whose request has no input reads nothing. */
static void none(void)
{
    agent_start();
    AGENT_RUN(true, "wc", "-c");
    agent_feed_end();
    agent_wait();
    CHECK_STR(agent_out, "0\n");
    AGENT_RUN(false, "wc", "-c");
    agent_wait();
    CHECK_STR(agent_out, "0\n");
    agent_hang_up();
}

/** Sends as much as may be sent now. */
static void fill_window(void)
{
    enum { PAGES = 16384 }; /* a pipe takes most in whole pages */
    while (agent_feed(bytes, PAGES) > 0) {
    }
}

/** The whole window is sent to a command that reads nothing, and then as much as its pipe has taken. */
static void fill(void)
{
    fill_window();
    RECEIVE_UNTIL(agent_taken > 0);
    fill_window();
    CHECK(agent_sent > FWA_WINDOW);
}

static void never_reads(void)
{
    agent_start();
    AGENT_RUN(true, "sh", "-c", "trap 'echo heard' USR1; echo ready; while :; do sleep 0.01; done");
    RECEIVE_UNTIL(strcmp(agent_out, "ready\n") == 0);
    fill();
    agent_send(FWA_SIGNAL, &(fwa_signal){FWSV_SIGNAL_MAIN, SIGUSR1}, sizeof(fwa_signal));
    RECEIVE_UNTIL(strcmp(agent_out, "ready\nheard\n") == 0);
    agent_send(FWA_STOP, NULL, 0);
    agent_wait();
    CHECK_INT(agent_reply.reason, FWSV_BY_STOP);
    CHECK_INT(agent_reply.main_signal, SIGTERM);
    /* Nothing of it comes to the next command. */
    AGENT_RUN(true, "cat");
    agent_feed("next", 4);
    agent_feed_end();
    agent_wait();
    CHECK_STR(agent_out, "next");
    agent_hang_up();
}

/** The host learns that the command has closed its input, before and after it has sent something. */
static void closes(void)
{
    agent_start();
    AGENT_RUN(true, "sh", "-c", "exec sleep 1000 <&-");
    RECEIVE_UNTIL(agent_closed);
    agent_feed(bytes, 10000);
    agent_feed_end();
    agent_send(FWA_STOP, NULL, 0);
    agent_wait();
    AGENT_RUN(true, "sh", "-c", "head -c 3; exec sleep 1000 <&-");
    fill_window();
    RECEIVE_UNTIL(agent_closed);
    RECEIVE_UNTIL(agent_out_size == 3);
    agent_send(FWA_STOP, NULL, 0);
    agent_wait();
    agent_hang_up();
}

/** What is sent after the end of a command is for nobody. */
static void ends(void)
{
    agent_start();
    AGENT_RUN(true, "head", "-c", "3");
    fill_window();
    agent_wait();
    CHECK_INT(agent_reply.status, 0);
    CHECK_INT(agent_out_size, 3);
    agent_feed(bytes, 100);
    agent_feed_end();
    AGENT_RUN(true, "cat");
    agent_feed("next", 4);
    agent_feed_end();
    agent_wait();
    CHECK_STR(agent_out, "next");
    agent_hang_up();
}

/** When the link ends the command is ended by signals: it must not take what has come for the whole input. */
static void link_ends(void)
{
    agent_start();
    agent_grace = 0.5;
    AGENT_RUN(true, "sh", "-c", "trap '' TERM; echo ready; cat >got && echo end >how");
    RECEIVE_UNTIL(agent_out_size > 0);
    agent_feed("part", 4);
    agent_hang_up();
    char *path = check_path("how");
    CHECK(access(path, F_OK) != 0);
    free(path);
}

/** A host that sends more than it may has broken the protocol, and the agent ends. */
static void too_much(void)
{
    agent_start();
    AGENT_RUN(true, "sleep", "1000");
    /* The agent may end before it has read everything. */
    signal(SIGPIPE, SIG_IGN);
    fwa_head head = {.kind = FWA_IN, .size = 60000};
    for (; agent_sent < 2 * FWA_WINDOW; agent_sent += head.size)
        if (write(agent_to, &head, sizeof head) < 0 || write(agent_to, bytes, head.size) < 0)
            break;
    agent_end();
}

int main(void)
{
    REQUIRE(getenv("CHECK_LIBRARY") != NULL);
    in_child(all_of_it, "all of it");
    in_child(none, "none");
    in_child(never_reads, "never reads");
    in_child(closes, "closes");
    in_child(ends, "ends");
    in_child(link_ends, "the link ends");
    in_child(too_much, "too much");
    return check_done();
}
