/*
 * What the parts of a sandbox offer each other. supervisor.h has what the host asks for.
 *
 *   monitor ──clone──▶ init ──clone──▶ command
 *      ╰───── pair ─────╯
 *
 * A layer keeps one thing or another that the document promises. Where a promise needs namespaces, the command is a
 * child of an init, which is process 1 of its namespaces. The init sets the sandbox up, starts the command, reaps all
 * processes and ends last. Where Landlock and a filter are enough, the command is the monitor's child as always.
 *
 * A function that fails returns a negative errno, and has set the stage of the reply to where it failed.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "parts.h"

#include <errno.h>

/* What a file or a directory is, whatever it is called. */
typedef struct {
  uint64_t device, inode;
} identity;

enum { FEW_PLACES = 8 };

/* A sandbox as it is set up now. */
struct sandbox {
  const fwsv_sandbox *block;
  uint32_t layers;          /* that are tried, and that hold once the command runs */
  uint32_t user, group;     /* effective ids, which stay what they are */
  int ruleset;              /* -1 for none */
  identity *places;         /* that the command may write, by place_of(); an inode 0 is none */
  identity few[FEW_PLACES]; /* is where these are, unless they are more */
  bool has_scope;           /* the ruleset keeps the command from sockets with abstract names outside */
  bool has_file;            /* the standard input is a file of the host's */
};

INLINE bool has_namespaces(const sandbox *sandbox) { return (sandbox->layers & FWSV_LAYER_NAMESPACES) != 0; }

/* --- the block of the document, which fwsv_find_sandbox() has checked ---------------- */

/* block.c: checks every place, count and length of a request's sandbox. */
HIDDEN bool fwsv_find_sandbox(const fwsv_request *request, const uint64_t *table, const fwsv_sandbox **found);

INLINE const void *block_at(const fwsv_sandbox *block, uint32_t place) { return (const char *)block + place; }

INLINE uint32_t reads_of(const fwsv_sandbox *block) { return block->reads == FWSV_READ_ALL ? 0 : block->reads; }

/* Writes come first, then reads. */
INLINE const char *path_of(const fwsv_sandbox *block, uint32_t index) {
  return block_at(block, ((const uint32_t *)block_at(block, block->paths))[index]);
}

INLINE bool is_write(const fwsv_sandbox *block, uint32_t index) { return index < block->writes; }

/* Whether a failure means that a path is not there, and need not be. What a command may have made is not there. */
INLINE bool may_be_missing(const fwsv_sandbox *block, uint32_t index, long error) {
  bool is_missing = error == -ENOENT || error == -ENOTDIR || error == -EMLINK;
  return is_missing && !is_write(block, index) && block->writes + reads_of(block) - index <= block->optional_reads;
}

/* The run directory comes first, then the paths to write. Other paths have no place. */
INLINE identity *place_of(const sandbox *sandbox, int index) {
  return &sandbox->places[index == FWSV_PATH_RUNDIR ? 0 : index + 1];
}

/* --- paths of the document, and the run directory (places.c) -------------------------- */

HIDDEN long fwsv_identify(long fd, identity *identity);
INLINE bool is_same(const identity *one, const identity *other) {
  return one->inode == other->inode && one->device == other->device;
}

/* Notes where the places that the command may write are now. This comes before any path is opened. */
HIDDEN long fwsv_note_places(sandbox *sandbox, int rundir, fwsv_reply *reply);
HIDDEN void fwsv_forget_places(sandbox *sandbox);

/* Opens a path of the document, and returns its descriptor (O_PATH). -EMLINK says that a link in it lies in one of the
 * noted places: a command may have made it. */
HIDDEN long fwsv_open_path(const sandbox *sandbox, uint32_t index);

/* A path of the document, or the run directory (FWSV_PATH_RUNDIR), whose descriptor is given. Returns 1 for a
 * directory and 0 for a file. What is to be writable must not be read-only here, a file of the kernel's, or `/`. */
HIDDEN long fwsv_check_place(long fd, int index, bool is_writable);

/* --- the layers ---------------------------------------------------------------------- */

/* view.c: the tree that the command sees. The working directory has to be the run directory, of the new mounts. */
HIDDEN long fwsv_make_view(const sandbox *sandbox, fwsv_reply *reply);

/* devices.c: what is in an own /dev. `old` and `dev` are descriptors of the host's and the own one, `base` is of the
 * file system that has a directory `shm` for it. */
HIDDEN long fwsv_make_devices(long old, long dev, long base);

/* The devices that a command may use: the name after another one, the first one after NULL, and NULL at the end. */
HIDDEN const char *fwsv_next_device(const char *name);

/* namespaces.c */

/* Writes the maps of a new user namespace: the user and the group stay what they are, and there is no other one. */
HIDDEN long fwsv_write_maps(const sandbox *sandbox);

/* Brings up the loopback of a new network namespace. */
HIDDEN long fwsv_bring_up_loopback(void);

/* confine.c: what a process gives up for ever. All of it is of the calling process alone, also where the process shares
 * the memory of its parent. */
HIDDEN long fwsv_confine(const sandbox *sandbox, volatile uint32_t *stage);
HIDDEN long fwsv_drop_capabilities(void);

/* landlock.c: makes the ruleset. `rundir` is a descriptor of the run directory. A rule belongs to what is at a path
 * now, so all mounts come before. */
HIDDEN long fwsv_make_ruleset(sandbox *sandbox, int rundir, fwsv_reply *reply);

/* --- the init (init.c) ----------------------------------------------------------------- */

/* What the init needs, which has a copy of the monitor's memory. */
typedef struct {
  sandbox *sandbox;
  const fwsv_request *request;
  const int *fds;
  const texts *texts;
  groups *groups;       /* NULL for none */
  int pair, others_end; /* of the socket pair: the init's end and the monitor's */
  int channel;          /* the monitor's, or -1 */
  bool is_kept;         /* the network namespace, and its user namespace, are those of a command before */
  int network;          /* a kept namespace that the init has to enter, or -1 */
} init_job;

HIDDEN void fwsv_init(init_job *job) __attribute__((noreturn));

/* What the init tells on the pair is a reply without processes, with some members only:
 *   FWSV_STARTED  stage, is_direct, layers, landlock, kept; the message has the credentials of the command, whose pid
 *                 the kernel translates, and descriptors of new namespaces that may be kept
 *   FWSV_FAILED   stage, error, limit, path, landlock
 *   FWSV_ENDED    status, duration (the monotonic clock at the end), user, system, peak. `left` 0 says that nobody is
 *                 left, and nobody can come any more; tree_user and tree_system are then known. Where others are left
 *                 the message comes twice. */
enum { NOTE_SIZE = __builtin_offsetof(fwsv_reply, processes) };

/* What the monitor asks of the init. */
typedef struct {
  int32_t signal;
  int32_t to_main; /* else to all processes but the init, in one call */
} init_order;

/* --- the monitor's side ---------------------------------------------------------------- */

/* What a monitor has of sandboxes. */
typedef struct {
  sandbox now;       /* of its command */
  int init;          /* process 1; 0 where the command has none */
  int pair;          /* to the init, or -1 */
  bool has_ended;    /* the init was waited for */
  bool is_killed;    /* by this monitor */
  int network, user; /* namespaces that are kept for the next command, or -1 */
  uint32_t refused;  /* layers that could not be had */
} sandbox_state;

typedef struct {
  const fwsv_request *request;
  const int *fds;
  const texts *texts;
  groups *groups; /* NULL for none */
  int channel;
} start_job;

/* enter.c: clones the init into its namespaces, new or kept ones. Returns its pid, or a negative errno. */
HIDDEN long fwsv_clone_init(sandbox_state *state, init_job *job, fwsv_reply *reply);
/* Closes what is kept. */
HIDDEN void fwsv_forget_namespaces(sandbox_state *state);

/* sandbox.c */

/* Starts the command of a request that has a sandbox. Returns its pid, or a negative errno; or 0, and an init is
 * setting up the sandbox. */
HIDDEN int fwsv_sandbox_start(sandbox_state *state, const start_job *job, fwsv_reply *reply, int *group);

/* Goes on after the init has failed as the reply says, and has ended. Returns what fwsv_sandbox_start() does. */
HIDDEN int fwsv_sandbox_start_again(sandbox_state *state, const start_job *job, fwsv_reply *reply, int *group);

/* Receives what the init tells, without waiting. Returns false if there is nothing. `pid` is the command's as this
 * process knows it, with FWSV_STARTED. */
HIDDEN bool fwsv_sandbox_read(sandbox_state *state, fwsv_reply *note, int *pid);

/* Whether the init has ended. What it has told has to be read after this call, and before the end is believed. */
HIDDEN bool fwsv_sandbox_is_gone(sandbox_state *state);

/* What the layers that hold do not keep: FWSV_OPEN_INPUT or 0. */
HIDDEN uint32_t fwsv_sandbox_gaps(const sandbox_state *state);

/* Has the init send a signal, once. A signal to all processes reaches each of them, whatever they do meanwhile. */
HIDDEN void fwsv_sandbox_pass(sandbox_state *state, int signal, bool to_main);

/* Kills the init, and the kernel kills all processes of the sandbox. */
HIDDEN void fwsv_sandbox_kill(sandbox_state *state);

/* Waits for the end of the init, which has said that nobody is left. */
HIDDEN void fwsv_sandbox_end(sandbox_state *state);

#endif
