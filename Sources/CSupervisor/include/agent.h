/*
 * The agent runs commands in a place that can be reached by two streams of bytes only, such as a job step of a cluster.
 *
 *   host ──srun──▶ agent             its standard input and output are the link
 *                    ╰──channel──▶ monitor ──▶ command
 *
 * It is the program of the supervisor, run with an argument, and has the same monitors. So a command on a node is
 * contained, measured and ended like a command on this machine. Messages are frames, which have a head and as many
 * bytes as the head says. Both sides have the same byte order, because both run the same program.
 *
 * srun and the node speak TCP with Nagle's algorithm, in pieces of 1 KiB. What is written after a first piece waits
 * until that piece is acknowledged, and the other side delays the acknowledgement by 40 ms unless it has something to
 * send. So a side that sees that more of a frame is to come sends FWA_ACK, once for a frame, and the agent sends one
 * for each FWA_HOLD, behind which a request may come at once. What belongs together is written together. Texts that
 * are the same as before are not sent again, so that the request for a further command fits into one piece. A step in
 * a held allocation takes 2 ms this way, and 88 ms without.
 *
 * The link must be read whatever the command does, because a stop comes over it, too. So the host sends input only as
 * far as the agent has room for it: at first FWA_WINDOW bytes, and then as much more as FWA_TAKEN says that the agent
 * has written into the command's pipe. The window is so large because what the agent says may be delayed, too.
 */
#ifndef AGENT_H
#define AGENT_H

#include "supervisor.h"

/* The number changes with any change of the frames, or of what is in them. */
enum { FWA_PROTOCOL = 4 };

typedef struct {
  uint32_t kind;
  uint32_t size;
} fwa_head;

/* --- host to agent ---------------------------------------------------------------- */

enum {
  FWA_RUN = 1,    /* start a command */
  FWA_STOP = 2,   /* end it: TERM, the grace, KILL */
  FWA_HOLD = 3,   /* while no command runs: end if none comes for this long (int64_t, nanoseconds) */
  FWA_IN = 4,     /* bytes for the standard input of a command with has_input; without bytes: the end of it */
  FWA_SIGNAL = 5, /* a fwa_signal for the command */
};

/* The last two are dropped without an answer if their command has ended, or reads no more. */

typedef struct {
  uint32_t kind; /* FWSV_SIGNAL_MAIN or FWSV_SIGNAL_TREE */
  uint32_t number;
} fwa_signal;

/* The most bytes of input that the host may have sent beyond what FWA_TAKEN has told. */
enum { FWA_WINDOW = 1024 * 1024 };

/* The beginning of FWA_RUN. After it come the texts of the request (supervisor.h), without those that are at the same
 * place as in the request before, and two strings, each with a NUL: the run directory, and the name of the status file
 * in it, which gets a line about each command's end. An empty name stands for no file. */
typedef struct {
  fwsv_request request;
  uint64_t begin;    /* bytes of the texts before those that are the same as in the request before */
  uint64_t same;     /* bytes that are the same */
  uint64_t location; /* bytes of the two strings */
  uint64_t index;    /* of the command, for the file */
  int64_t hold;      /* what FWA_HOLD says, for the time after this command; negative if another command comes */
} fwa_run;

enum { FWA_LOCATION = 8192 }; /* the most bytes of the two strings */

/* An empty frame, which both sides send. */
enum { FWA_ACK = 16 };

/* --- agent to host ---------------------------------------------------------------- */

enum {
  FWA_HELLO = 1, /* a fwa_hello, and the environment, each string with a NUL */
  FWA_OUT = 2,   /* output of the command */
  FWA_ERR = 3,
  FWA_REPLY = 4,  /* a fwsv_reply; that of a command's end comes after all of its output */
  FWA_TAKEN = 5,  /* how many bytes of input the command's pipe has taken so far (uint64_t) */
  FWA_CLOSED = 6, /* the command gets no more input, and what it has not taken is lost to it: 0 if it has closed its
                   * standard input, or the errno of a write that failed (int32_t) */
};

/* A bit in the kind of a frame behind which another frame is written. */
#define FWA_MORE 0x80000000u

/* The script that starts the agent writes this byte, which is before the first frame. */
enum { FWA_READY_BYTE = '.' };

typedef struct {
  uint32_t protocol;
  int32_t pid;
} fwa_hello;

/* A line of the status file is INDEX STATUS DURATION USER SYSTEM PEAK and a newline. STATUS is that of wait(2), the
 * three times are in microseconds, and PEAK is in bytes. */

#endif
