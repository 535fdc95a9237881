/* The state of the agent, and the frames that it sends over its link. */
#ifndef LINK_H
#define LINK_H

#include "include/agent.h"
#include "parts.h"

enum {
  PIECE = 64 * 1024, /* the most that one read takes */
  ROOM = 8 * PIECE,  /* for frames that have not been sent */
  HEAVY = PIECE / 2, /* so many bytes are sent without waiting for more */
  STREAMS = 2,
  READ_ERRORS = 100,         /* after so many in a row the rest of a stream is given up */
  PIPE_CAPACITY = 64 * 1024, /* of a pipe whose size nobody has changed (pipe(7)) */
};

typedef struct {
  int in, out;           /* the link; -1 once it has ended */
  int signals;           /* a signalfd for the signals that ask the agent to end */
  int channel;           /* to the monitor; -1 if there is none */
  int pipes[STREAMS];    /* the reading ends of the pipes that the command writes to; -1 for none */
  int64_t left[STREAMS]; /* bytes that remain to be read once the command has ended */
  int errors[STREAMS];
  uint32_t cut; /* a bit for each stream that was given up */
  int rundir;
  int texts; /* a file with the texts of the last request, of which the monitor has a mapping of its own */
  bool is_running;
  bool has_reply; /* of the command; it is sent after the output */
  bool is_over;   /* no further command */
  bool is_asked;  /* the scheduler has asked for the end */
  bool has_asked; /* the agent has asked for the rest of the frame */
  /* The frame that is being received. */
  fwa_head head;
  uint64_t taken; /* bytes of the frame so far, the head included */
  int64_t hold;
  int64_t until; /* when to end if nothing comes; INT64_MAX for never */
  fwa_run run;
  fwsv_reply reply;
  size_t begin, end; /* of what has to be sent, in `output` */
  size_t last;       /* where the head of its last frame is */
  int64_t due;       /* when it has to be sent at the latest */
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

HIDDEN size_t fwsv_text_length(const char *text);

/* Ends the link, which nobody reads any more. */
HIDDEN void fwsv_link_end(agent_state *link);

/* Whether frames have to be sent now. */
HIDDEN bool fwsv_link_is_due(const agent_state *link);

/* Sends the frames that are due, as far as that goes without waiting. */
HIDDEN void fwsv_link_flush(agent_state *link);

INLINE bool has_room(const agent_state *link, size_t size) { return ROOM - link->end >= sizeof(fwa_head) + size; }

/* Adds the head of a frame, whose bytes are behind it already or will be. */
HIDDEN void fwsv_link_add_head(agent_state *link, uint32_t kind, size_t size);

/* Adds a frame. There must be room for it. */
HIDDEN void fwsv_link_append(agent_state *link, uint32_t kind, const void *bytes, size_t size);

/* Adds the first frame, which is FWA_HELLO. */
HIDDEN void fwsv_link_greet(agent_state *link, char **environment);

#endif
