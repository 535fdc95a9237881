/*
 * The agent: the supervisor's program in a place where only two streams of bytes lead to, as
 * a job step of a cluster.
 *
 *   host ──srun──▶ agent             its standard input and output are the link
 *                    ╰──channel──▶ monitor ──▶ command
 *
 * It is the same program, run with an argument, with the same monitors: a command on a node is
 * contained, measured and ended as one on this machine is. Messages are frames: a
 * head, and so many bytes. Both sides have the same byte order, because both run the
 * same program.
 *
 * srun and the node speak TCP with Nagle's algorithm, in pieces of 1 KiB: what is written after a
 * first piece waits until that is acknowledged, which the other side delays by 40 ms unless it has
 * something to say. So whoever sees that more is to come says FWA_ACK, once for a frame; what
 * belongs together is written together; and what was said before is not said again: a request for
 * a further command fits into one piece. A step in a held allocation takes 2 ms so, and 88 without.
 */
#ifndef AGENT_H
#define AGENT_H

#include "supervisor.h"

/* Changes with any change of the frames, or of what is in them. */
enum { FWA_PROTOCOL = 1 };

typedef struct {
  uint32_t kind;
  uint32_t size;
} fwa_head;

/* --- host to agent ---------------------------------------------------------------- */

enum {
  FWA_RUN = 1,  /* start a command */
  FWA_STOP = 2, /* end it: TERM, the grace, KILL */
  FWA_HOLD = 3, /* no command runs: end when none comes for so long (int64_t, nanoseconds) */
};

/* What FWA_RUN begins with. Then come the texts of the request (supervisor.h) - without those that are where
 * they were in the texts of the request before -, and two strings, each with a NUL: the run directory,
 * and the name in it of the file that gets a line about each command's end; an empty one for none. */
typedef struct {
  fwsv_request request;
  uint64_t begin; /* bytes of the texts before those that are the same */
  uint64_t same;
  uint64_t location; /* bytes of the two strings */
  uint64_t index; /* of the command, for the file */
  int64_t hold;   /* after it, as with FWA_HOLD; negative: another one comes */
} fwa_run;

enum { FWA_LOCATION = 8192 }; /* the most that they may have */

/* Both ways, and empty. */
enum { FWA_ACK = 16 };

/* --- agent to host ---------------------------------------------------------------- */

enum {
  FWA_HELLO = 1, /* a fwa_hello, and the environment, each string with a NUL */
  FWA_OUT = 2,   /* output of the command */
  FWA_ERR = 3,
  FWA_REPLY = 4, /* a fwsv_reply; at a command's end all of its output came before */
};

/* Added to the kind of a frame that another one is written behind. */
#define FWA_MORE 0x80000000u

/* The agent begins with this byte, and then the first frame. */
#define FWA_READY_BYTE '.'

typedef struct {
  uint32_t protocol;
  int32_t pid;
} fwa_hello;

/* The line in the status file, with a newline: INDEX STATUS SECONDS USER SYSTEM PEAK, of which
 * STATUS is as wait(2) has it, the times are microseconds, and the peak is bytes. */

#endif
