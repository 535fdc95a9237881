/* Starting the supervisor from the host, and the messages between them (supervisor.h). */
#ifndef FWS_SUPERVISOR_H
#define FWS_SUPERVISOR_H

#include "agent.h"
#include "fws_descriptor.h"
#include "supervisor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- start.c: the program ------------------------------------------------------------ */

/* Starts a supervisor that has the calling thread's user, limits and so on (fws_identity.h). Returns 0 and the host's
 * end of its control socket, or an errno and the call that failed. From now on the process is in use (fws_fork.h). */
int fws_supervisor_start(fws_fd *_Nonnull control, const char *_Nullable *_Nonnull call);

/* The program of the supervisor and of the agent, as an executable file holds it. */
size_t fws_program_size(void);
void fws_program_copy(void *_Nonnull room);

/* --- messages.c: the channel to a monitor --------------------------------------------- */

/* Asks for a monitor. Returns 0 and the channel to it, or an errno and the call that failed. */
int fws_channel_open(int control, int *_Nonnull channel, const char *_Nullable *_Nonnull call);

/* The streams of a command. Without `in`, which is -1, its standard input is /dev/null. `in_end` is the writing end of
 * `in`, which the monitor keeps until fws_channel_end_input(); -1 if there is none. */
typedef struct {
  int in, in_end, out, err;
} fws_streams;

/* Sends FWSV_RUN with the texts of the request and the streams of the command. `rundir` is -1 if the monitor has kept
 * the directory of the command before. Returns 0, or an errno and the call that failed. */
int fws_channel_run(int channel, const fwsv_request *_Nonnull request, const void *_Nonnull texts,
                    const fws_streams *_Nonnull streams, int rundir, const char *_Nullable *_Nonnull call);

/* Sends FWSV_LIMIT. Times are nanoseconds; a negative timeout is none. */
int fws_channel_limit(int channel, int64_t timeout, int64_t grace);

/* Sends FWSV_STOP. */
int fws_channel_stop(int channel);

/* Sends FWSV_END_INPUT. */
int fws_channel_end_input(int channel);

/* Sends FWSV_SIGNAL_MAIN or FWSV_SIGNAL_TREE. */
int fws_channel_signal(int channel, int signal, bool to_tree);

/* Where a server listens, as connect(2) takes it. */
typedef struct {
  size_t size;
  _Alignas(8) unsigned char bytes[128];
} fws_address;

/* The address of a Unix socket's path, and that of the other end of a connection. Return 0 or an errno. */
int fws_address_of_socket(const char *_Nonnull path, fws_address *_Nonnull address);
int fws_address_of_peer(int fd, fws_address *_Nonnull address);

/* Sends FWSV_CLEANUP: what the monitor sends to a server when this process has gone. */
int fws_channel_cleanup(int channel, const fws_address *_Nonnull address, const char *_Nonnull text, size_t size);

/* Receives a message, without waiting. Returns 1 if there was one, 0 if there is none now, -1 if none will come any
 * more. */
int fws_channel_receive(int channel, fwsv_reply *_Nonnull reply);

/* Whether a message can be received: what a monitor, or a supervisor that could make no monitor, has said before its
 * end.
 */
bool fws_channel_has_message(int channel);

#endif
