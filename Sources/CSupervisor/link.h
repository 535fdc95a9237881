/* What the agent has, and how it speaks on its link. */
#ifndef LINK_H
#define LINK_H

#include "include/agent.h"
#include "parts.h"

enum {
  PIECE = 64 * 1024, /* what is read at once */
  ROOM = 8 * PIECE,  /* of what is not yet taken */
  HEAVY = PIECE / 2, /* this much is sent at once */
  STREAMS = 2,
  READ_ERRORS = 100, /* one after the other, after which the rest of a stream is given up */
};

typedef struct {
  int in, out;  /* the link; -1: it has ended */
  int signals;  /* a signalfd of those that ask us to end */
  int channel;  /* to the monitor; -1: there is none */
  int pipes[STREAMS]; /* what the command writes to; -1: none */
  int64_t left[STREAMS]; /* bytes still to be read, once it has ended */
  int errors[STREAMS];
  uint32_t cut; /* a bit for each stream that was given up */
  int rundir;
  int texts; /* a file with those of the last request; a monitor has mapped them for itself */
  bool is_running;
  bool has_reply; /* it is told after the output */
  bool is_over;   /* no further command */
  bool is_asked;  /* that is the scheduler's wish */
  bool has_asked; /* for the rest of the frame */
  /* What comes: a head, and then so many bytes. */
  fwa_head head;
  uint64_t taken; /* bytes of the head and of what follows */
  int64_t hold;
  int64_t until; /* when to end, if nothing comes; INT64_MAX: never */
  fwa_run run;
  fwsv_reply reply;
  size_t begin, end; /* of what is to be sent */
  size_t last;       /* where the head of its last frame is */
  int64_t due;       /* when it is to be sent at the latest */
  char location[FWA_LOCATION + 1];
  char input[PIECE];
  char output[ROOM];
} agent_state;

INLINE void close_fd(int *fd) {
  if (*fd >= 0) RAW1(__NR_close, *fd);
  *fd = -1;
}

INLINE void copy(void *to, const void *from, size_t size) {
  for (size_t at = 0; at < size; at++) ((volatile char *)to)[at] = ((const char *)from)[at];
}

HIDDEN size_t length(const char *text);

/* Nobody reads what is said any more. */
HIDDEN void end_link(agent_state *link);

/* Whether something is to be sent now. */
HIDDEN bool is_due(const agent_state *link);

/* Sends what is due, as far as it can go now. */
HIDDEN void flush(agent_state *link);

INLINE bool has_room(const agent_state *link, size_t size) { return ROOM - link->end >= sizeof(fwa_head) + size; }

/* The head of a frame whose bytes are behind it, or will be. */
HIDDEN void add_head(agent_state *link, uint32_t kind, size_t size);

/* A frame; there must be room for it. */
HIDDEN void append(agent_state *link, uint32_t kind, const void *bytes, size_t size);

/* The first one. */
HIDDEN void send_hello(agent_state *link, char **environment);

#endif
