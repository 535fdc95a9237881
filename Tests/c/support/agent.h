/*
 * agent.h - speaks with an agent of the slurm worker by frames (Sources/CSupervisor/include/agent.h), with two pipes in
 * the place of srun. The program is a copy of the library's file, which the agent removes.
 */
#ifndef TEST_AGENT_H
#define TEST_AGENT_H

#include "processes.h"

#include "../../../Sources/CSupervisor/include/agent.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

static pid_t agent_pid;
static int agent_to, agent_from;
static double agent_grace = 60;

/* The last frame that was received. */
static uint32_t frame_kind;
static size_t frame_size;
static char frame[1 << 20];

/* The bytes of the command, and what the agent has said of it. */
static char agent_out[16 << 20];
static size_t agent_out_size;
static uint64_t agent_sent, agent_taken; /* bytes of input */
static bool agent_closed;                /* the command has closed its input */
static fwsv_reply agent_reply;           /* the last one; kind 0: there was none for this command */

static inline void agent_write(const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t done = write(agent_to, at, size);
        REQUIRE(done > 0);
        at += done;
        size -= (size_t)done;
    }
}

static inline void agent_send(uint32_t kind, const void *bytes, size_t size)
{
    fwa_head head = {.kind = kind, .size = (uint32_t)size};
    agent_write(&head, sizeof head);
    agent_write(bytes, size);
}

/** Reads so many bytes; false at the end of the link. */
static inline bool agent_read(void *room, size_t size)
{
    for (char *at = room; size > 0;) {
        ssize_t done = read(agent_from, at, size);
        if (done <= 0)
            return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

/** Receives the next frame; false at the end of the link. */
static inline bool agent_receive(void)
{
    fwa_head head;
    if (!agent_read(&head, sizeof head))
        return false;
    frame_kind = head.kind & ~FWA_MORE;
    frame_size = head.size;
    REQUIRE(frame_size <= sizeof frame && agent_read(frame, frame_size));
    if (frame_kind == FWA_OUT || frame_kind == FWA_ERR) {
        REQUIRE(agent_out_size + frame_size < sizeof agent_out);
        memcpy(agent_out + agent_out_size, frame, frame_size);
        agent_out_size += frame_size;
        agent_out[agent_out_size] = 0;
    } else if (frame_kind == FWA_TAKEN) {
        uint64_t taken;
        REQUIRE(frame_size == sizeof taken);
        memcpy(&taken, frame, sizeof taken);
        CHECK(taken > agent_taken && taken <= agent_sent);
        agent_taken = taken;
    } else if (frame_kind == FWA_CLOSED) {
        int32_t error = -1;
        CHECK(frame_size == sizeof error);
        memcpy(&error, frame, sizeof error);
        CHECK_INT(error, 0);
        agent_closed = true;
    } else if (frame_kind == FWA_REPLY) {
        memset(&agent_reply, 0, sizeof agent_reply);
        memcpy(&agent_reply, frame, frame_size);
    }
    return true;
}

#define RECEIVE_UNTIL(condition) \
    while (!(condition))         \
    REQUIRE(agent_receive())

/** Copies the library's file and runs it as an agent. */
static inline void agent_start(void)
{
    char *path = check_path("agent"), buffer[65536];
    int from = open(getenv("CHECK_LIBRARY"), O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    REQUIRE(from >= 0 && to >= 0);
    for (ssize_t size; (size = read(from, buffer, sizeof buffer)) > 0;)
        REQUIRE(write(to, buffer, (size_t)size) == size);
    close(to);
    close(from);
    int in[2], out[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    agent_pid = fork();
    REQUIRE(agent_pid >= 0);
    if (agent_pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execve(path, (char *[]){path, "agent", NULL}, (char *[]){"ONE=1", "SLURM_JOB_ID=7", NULL});
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    agent_to = in[1];
    agent_from = out[0];
    REQUIRE(agent_receive());
    CHECK_INT(frame_kind, FWA_HELLO);
    CHECK(access(path, F_OK) != 0);
    free(path);
}

/** Waits for the end of the agent, which ends with status 0. */
static inline void agent_end(void)
{
    int status = -1;
    while (agent_receive()) {
    }
    REQUIRE(waitpid(agent_pid, &status, 0) == agent_pid);
    CHECK_INT(status, 0);
    if (agent_to >= 0)
        close(agent_to);
    close(agent_from);
}

/** The end of the link, which ends the agent. */
static inline void agent_hang_up(void)
{
    close(agent_to);
    agent_to = -1;
    agent_end();
}

/* The texts of a request: a table, and then strings. */
typedef struct {
    uint64_t table[64];
    uint32_t slots;
    char strings[8192];
    size_t size;
} agent_texts;

static inline void agent_add(agent_texts *texts, const char *string)
{
    size_t size = strlen(string) + 1;
    REQUIRE(texts->slots < 64 && texts->size + size <= sizeof texts->strings);
    memcpy(texts->strings + texts->size, string, size);
    texts->table[texts->slots++] = texts->size + 1; /* 0 ends a list */
    texts->size += size;
}

static inline void agent_end_list(agent_texts *texts)
{
    texts->table[texts->slots++] = 0;
}

/* A sandbox for the next commands, behind the strings of their texts; it is sent as it is. */
static const void *agent_sandbox;
static size_t agent_sandbox_size;
static uint32_t agent_sandbox_place; /* 0: where it is */

/** Starts a command of words whose program has two possible paths, as the library does. Its run directory is
 *  check_dir(). */
static inline void agent_run(bool has_input, const char *const *words)
{
    static agent_texts texts;
    memset(&texts, 0, sizeof texts);
    char path[256];
    for (int place = 0; place < 2; place++) {
        snprintf(path, sizeof path, "%s/%s", place == 0 ? "/nonexistent" : "/usr/bin", words[0]);
        agent_add(&texts, path);
    }
    agent_end_list(&texts);
    for (const char *const *word = words; *word != NULL; word++)
        agent_add(&texts, *word);
    agent_end_list(&texts);
    static const char *const shell[] = {"/bin/sh", "/bin/sh", "-c", "exec \"$@\"", "/bin/sh"};
    for (size_t i = 0; i < sizeof shell / sizeof *shell; i++)
        agent_add(&texts, shell[i]);
    for (const char *const *word = words; *word != NULL; word++)
        agent_add(&texts, *word);
    agent_end_list(&texts);
    agent_add(&texts, "PATH=/nonexistent:/usr/bin:/bin");
    agent_end_list(&texts);
    size_t table = texts.slots * sizeof *texts.table;
    if (agent_sandbox != NULL) /* at a multiple of 8 bytes */
        texts.size = (texts.size + 7) / 8 * 8;
    for (uint32_t slot = 0; slot < texts.slots; slot++)
        if (texts.table[slot] != 0)
            texts.table[slot] += table - 1;

    fwa_run run;
    memset(&run, 0, sizeof run);
    run.request.kind = FWSV_RUN;
    run.request.tell_start = 1;
    run.request.slots = texts.slots;
    run.request.is_direct = 1;
    run.request.has_input = has_input;
    run.request.size = table + texts.size + agent_sandbox_size;
    if (agent_sandbox != NULL)
        run.request.sandbox = agent_sandbox_place != 0 ? agent_sandbox_place : (uint32_t)(table + texts.size);
    run.request.timeout = -1;
    run.request.grace = (int64_t)(agent_grace * 1e9);
    for (int limit = 0; limit < FWSV_LIMITS; limit++)
        run.request.limits[limit] = FWSV_NO_LIMIT;
    char location[4096];
    size_t size = strlen(check_dir()) + 2; /* there is no status file */
    memset(location, 0, sizeof location);
    strcpy(location, check_dir());
    run.location = size;
    run.hold = -1;
    fwa_head head = {.kind = FWA_RUN, .size = (uint32_t)(sizeof run + run.request.size + size)};
    agent_write(&head, sizeof head);
    agent_write(&run, sizeof run);
    agent_write(texts.table, table);
    agent_write(texts.strings, texts.size);
    agent_write(agent_sandbox, agent_sandbox_size);
    agent_write(location, size);
    agent_out_size = 0;
    agent_out[0] = 0;
    agent_sent = agent_taken = 0;
    agent_closed = false;
    agent_reply.kind = 0;
    RECEIVE_UNTIL(agent_reply.kind != 0);
    CHECK_INT(agent_out_size, 0); /* output comes after the start */
}

#define AGENT_RUN(has_input, ...) agent_run((has_input), (const char *const[]){__VA_ARGS__, NULL})

/** Sends as much input as the agent allows now; returns how much that was. */
static inline size_t agent_feed(const char *bytes, size_t size)
{
    uint64_t room = FWA_WINDOW - (agent_sent - agent_taken);
    if (size > room)
        size = (size_t)room;
    if (size > 0)
        agent_send(FWA_IN, bytes, size);
    agent_sent += size;
    return size;
}

static inline void agent_feed_end(void)
{
    agent_send(FWA_IN, NULL, 0);
}

/** The end of the command. */
static inline void agent_wait(void)
{
    RECEIVE_UNTIL(agent_reply.kind == FWSV_ENDED || agent_reply.kind == FWSV_FAILED);
    CHECK_INT(agent_reply.kind, FWSV_ENDED);
}

#endif
