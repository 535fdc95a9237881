/*
 * The agent of the slurm worker says who it is, runs a command of words, passes signals on, and answers a frame behind
 * which a request may come at once, so that the request does not wait for a TCP acknowledgement.
 *
 * not under asan tsan ubsan valgrind: the agent has no C library, and no tool looks into it
 */
#include "agent.h"

static void hello(void)
{
    agent_start();
    fwa_hello hello;
    REQUIRE(frame_size > sizeof hello);
    memcpy(&hello, frame, sizeof hello);
    CHECK_INT(hello.protocol, FWA_PROTOCOL);
    CHECK_INT(hello.pid, agent_pid);
    static const char environment[] = "ONE=1\0SLURM_JOB_ID=7";
    CHECK_INT(frame_size, sizeof hello + sizeof environment);
    CHECK(memcmp(frame + sizeof hello, environment, sizeof environment) == 0);
    agent_hang_up();
}

/** A word stays one, whatever bytes it has, and no shell is needed for it. */
static void words(void)
{
    char all[256];
    for (int byte = 1; byte < 256; byte++)
        all[byte - 1] = (char)byte;
    all[255] = 0;
    agent_start();
    AGENT_RUN(false, "printf", "%s|", "", "$x `id` 'a\" b\\", "a\n", all);
    CHECK_INT(agent_reply.kind, FWSV_STARTED);
    agent_wait();
    CHECK_INT(agent_reply.is_direct, 1);
    CHECK_INT(agent_reply.status, 0);
    static const char first[] = "|$x `id` 'a\" b\\|a\n|";
    REQUIRE(agent_out_size == sizeof first - 1 + 256);
    CHECK(memcmp(agent_out, first, sizeof first - 1) == 0);
    CHECK(memcmp(agent_out + sizeof first - 1, all, 255) == 0);
    agent_hang_up();
}

/** A program that is nowhere has the shell's status and its words. */
static void no_program(void)
{
    agent_start();
    AGENT_RUN(false, "no-such-program", "a b");
    agent_wait();
    CHECK_INT(agent_reply.is_direct, 0);
    CHECK_INT(agent_reply.status >> 8, 127);
    CHECK_HAS(agent_out, "no-such-program");
    agent_hang_up();
}

static void send_signal(uint32_t kind, uint32_t number)
{
    agent_send(FWA_SIGNAL, &(fwa_signal){kind, number}, sizeof(fwa_signal));
}

/** A signal is for the main process or for all processes; its end by a signal is its own, and no stop. */
static void signals(void)
{
    agent_start();
    AGENT_RUN(false, "sh", "-c",
              "exec 2>&-; trap 'echo main' USR1; sh -c \"trap 'echo child; exit' USR1; echo ready; while :; do sleep "
              "0.01; done\";"
              "while :; do sleep 0.01; done");
    RECEIVE_UNTIL(strcmp(agent_out, "ready\n") == 0);
    send_signal(FWSV_SIGNAL_TREE, SIGUSR1);
    RECEIVE_UNTIL(strcmp(agent_out, "ready\nchild\nmain\n") == 0);
    send_signal(FWSV_SIGNAL_MAIN, SIGUSR1);
    RECEIVE_UNTIL(strcmp(agent_out, "ready\nchild\nmain\nmain\n") == 0);
    send_signal(FWSV_SIGNAL_MAIN, SIGINT);
    agent_wait();
    CHECK_INT(agent_reply.status, SIGINT);
    CHECK_INT(agent_reply.reason, FWSV_BY_ITSELF);
    CHECK_INT(agent_reply.main_signal, 0);
    /* Between two commands a signal is for nobody. */
    send_signal(FWSV_SIGNAL_TREE, SIGKILL);
    AGENT_RUN(false, "true");
    agent_wait();
    CHECK_INT(agent_reply.status, 0);
    agent_hang_up();
}

static void send_hold(int64_t nanoseconds)
{
    agent_send(FWA_HOLD, &nanoseconds, sizeof nanoseconds);
}

/** The request behind FWA_HOLD would wait for a TCP acknowledgement: the agent gives one by its own frame, at once. */
static void hold(void)
{
    agent_start();
    for (int time = 0; time < 3; time++) {
        send_hold(3600 * 1000000000ll);
        REQUIRE(agent_receive());
        CHECK_INT(frame_kind, FWA_ACK);
        CHECK_INT(frame_size, 0);
    }
    AGENT_RUN(false, "true");
    agent_wait();
    send_hold(0);
    agent_end();
}

/** A frame of which a part has come is asked for, once. */
static void part_of_a_frame(void)
{
    agent_start();
    fwa_head head = {.kind = FWA_HOLD, .size = sizeof(int64_t)};
    int64_t time = 3600 * 1000000000ll;
    agent_write(&head, sizeof head);
    REQUIRE(agent_receive());
    CHECK_INT(frame_kind, FWA_ACK);
    agent_write(&time, sizeof time);
    REQUIRE(agent_receive());
    CHECK_INT(frame_kind, FWA_ACK);
    agent_hang_up();
}

/** What is no frame of the protocol ends the agent, and its command. */
static void no_frame(void)
{
    static const fwa_head heads[] = {{0, 0}, {99, 0}, {FWA_HOLD, 4}, {FWA_SIGNAL, 4}, {FWA_RUN, 8}, {FWA_STOP, 8}};
    for (size_t at = 0; at < sizeof heads / sizeof *heads; at++) {
        agent_start();
        AGENT_RUN(false, "sleep", "1000");
        /* In one piece, because the agent may be gone when it has seen the head. */
        char frame[sizeof *heads + 8] = {0};
        memcpy(frame, &heads[at], sizeof *heads);
        agent_write(frame, sizeof *heads + heads[at].size);
        agent_end();
    }
    agent_start();
    AGENT_RUN(false, "sleep", "1000");
    send_signal(FWSV_RUN, SIGTERM);
    agent_end();
}

int main(void)
{
    REQUIRE(getenv("CHECK_LIBRARY") != NULL);
    in_child(hello, "hello");
    in_child(words, "words");
    in_child(no_program, "no program");
    in_child(signals, "signals");
    in_child(hold, "hold");
    in_child(part_of_a_frame, "part of a frame");
    in_child(no_frame, "no frame");
    return check_done();
}
