/* The state of the agent, and the frames that it sends over its link. */
#ifndef LINK_H
#define LINK_H

#include "include/agent.h"
#include "parts.h"

enum {
  PIECE = 64 * 1024,         /* the most that one read takes */
  ROOM = 8 * PIECE,          /* for frames that have not been sent */
  HEAVY = PIECE / 2,         /* so many bytes are sent without waiting for more */
  STREAMS = 2,               /* of output */
  ENDS = STREAMS + 1,        /* of pipes that the command gets */
  READ_ERRORS = 100,         /* after so many in a row the rest of a stream is given up */
  PIPE_CAPACITY = 64 * 1024, /* of a pipe whose size nobody has changed (pipe(7)) */
};

/* The standard input of the command. */
typedef struct {
  int pipe;               /* the writing end; -1 if there is none, and once the command gets nothing more */
  bool is_whole;          /* all of it has come */
  bool is_refused;        /* the host has to be told that the command gets nothing more */
  int32_t error;          /* why: an errno, or 0 if the command does not read any more */
  uint64_t written, told; /* bytes: in the pipe so far, and what the host knows of them */
  size_t begin, count;    /* of what waits, in the ring `bytes` */
  char bytes[FWA_WINDOW];
} input_state;

typedef struct {
  int in, out;           /* the link; -1 once it has ended */
  int signals;           /* a signalfd for the signals that ask the agent to end */
  int channel;           /* to the monitor; -1 if there is none */
  int pipes[STREAMS];    /* the reading ends of the pipes that the command writes to; -1 for none */
  int ends[ENDS];        /* the command's ends of its pipes, until the monitor has them: output, and then input */
  int64_t left[STREAMS]; /* bytes that remain to be read once the command has ended */
  int errors[STREAMS];
  uint32_t cut; /* a bit for each stream that was given up */
  int rundir;
  int texts; /* a file with the texts of the last request, of which the monitor has a mapping of its own */
  bool is_running;
  bool is_started; /* the start has been reported; output comes after that */
  bool has_reply;  /* of the command; it is sent after the output */
  bool is_over;    /* no further command */
  bool is_asked;   /* the scheduler has asked for the end */
  bool has_asked;  /* the agent has asked for the rest of the frame */
  /* The frame that is being received. */
  fwa_head head;
  uint64_t taken; /* bytes of the frame so far, the head included */
  int64_t hold;
  fwa_signal signal;
  int64_t until; /* when to end if nothing comes; INT64_MAX for never */
  fwa_run run;
  fwsv_reply reply;
  size_t begin, end; /* of what has to be sent, in `output` */
  size_t last;       /* where the head of its last frame is */
  int64_t due;       /* when it has to be sent at the latest */
  char location[FWA_LOCATION + 1];
  char received[PIECE];
  char output[ROOM];
  input_state input;
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

/* status.c: adds a line about the command's end to the status file. */
HIDDEN void fwsv_status_note(agent_state *link);

/* input.c: the standard input of the command. */

/* Makes the pipe, and gives the command's end of it. Returns 0 or a negative errno. */
HIDDEN int fwsv_input_open(agent_state *link, int *end);

/* Forgets what the command has not got, and closes the pipe. */
HIDDEN void fwsv_input_drop(agent_state *link);

/* Takes bytes from the host. Returns false if it had no right to send so many. */
HIDDEN bool fwsv_input_take(agent_state *link, const char *bytes, size_t count);

/* Notes that all bytes have come. */
HIDDEN void fwsv_input_end(agent_state *link);

/* Writes what waits, as far as that goes without waiting, and closes the pipe behind the last byte. */
HIDDEN void fwsv_input_write(agent_state *link);

/* Waits for the pipe, and does what that has shown. */
HIDDEN void fwsv_input_watch(agent_state *link, struct pollfd *item);
HIDDEN void fwsv_input_heed(agent_state *link, const struct pollfd *item);

/* Tells the host what it has to know. */
HIDDEN void fwsv_input_tell(agent_state *link);

#endif
