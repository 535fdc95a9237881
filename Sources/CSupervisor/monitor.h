/* The state of a monitor, and what its two parts offer each other: monitor.c starts a command and speaks with the host,
 * watch.c watches and ends the command. */
#ifndef MONITOR_H
#define MONITOR_H

#include "group.h"
#include "sandbox.h"

/* A process that cannot be killed in this time is blocked inside the kernel, and is reported. */
#define FORCING (5ll * SECOND)

/* model: MONITOR_WATCHING, MONITOR_ASKING, MONITOR_FORCING */
enum phase { MONITOR_WATCHING, MONITOR_ASKING, MONITOR_FORCING };

typedef struct {
  int channel;    /* -1 once the host has gone */
  int host;       /* a pidfd; -1 once it has ended */
  int signals;    /* a signalfd for SIGCHLD, or a negative errno */
  bool is_reaper; /* orphans come to this process */
  bool is_short;  /* descriptors of the request did not arrive */
  tree *tree;
  fwsv_request request;
  fwsv_reply reply;
  int fds[FWSV_FDS];
  /* The command. */
  int main;
  int group; /* -1 in a sandbox with namespaces, where the number is no number of this process's */
  bool main_ended;
  bool is_empty;  /* no process of the command is left */
  bool is_forced; /* KILL was sent */
  int asked_main; /* the last signal that was sent while the main process ran */
  enum phase phase;
  int64_t began;
  int64_t deadline;  /* of the phase; INT64_MAX if there is none */
  int64_t round;     /* when the next round is due */
  uint64_t early[2]; /* signals that came before the command was there: for all processes, for the main one */
  sandbox_state sandbox;
  groups groups;
  /* The texts of the request, which are here or in a mapping. */
  uint64_t *table;
  size_t mapped;
  texts lists;
  _Alignas(8) char texts[FWSV_INLINE];
} state;

/* The control groups of the command; NULL if it has no limits of the tree. */
INLINE groups *groups_of(state *state) { return state->request.tree == FWSV_NO_TREE ? NULL : &state->groups; }

/* Whether the command has an init, which is this process's only child then. */
INLINE bool has_init(const state *state) { return state->sandbox.init > 0; }

INLINE void close_fd(state *state, int which) {
  if (state->fds[which] >= 0) RAW1(__NR_close, state->fds[which]);
  state->fds[which] = -1;
}

/* --- monitor.c ---------------------------------------------------------------------- */

enum received { MESSAGE, NOTHING, GONE };

/* Receives one message without waiting. */
HIDDEN enum received fwsv_receive_request(state *state, fwsv_request *request);

/* --- watch.c ------------------------------------------------------------------------ */

/* Begins with a command, and passes on what signals have come before. */
HIDDEN void fwsv_watch_begin(state *state, int main);

/* Empties the list of processes for another command, if there is one. */
HIDDEN void fwsv_watch_clear(state *state);

/* Reaps every process that has ended. */
HIDDEN void fwsv_watch_reap(state *state);

/* Waits for what may happen, until a time, and does what the host asks for. */
HIDDEN void fwsv_watch_wait(state *state, int64_t until);

/* Notes that the deadline is why the command is ended. */
HIDDEN void fwsv_watch_note_reason(state *state);

/* Returns when the command has ended. */
HIDDEN void fwsv_watch(state *state);

/* Completes the reply about the end. */
HIDDEN void fwsv_watch_report(state *state);

#endif
