/*
 * What the host writes to the standard input of the agent's command (agent.h): it waits here until the command reads
 * it. There is room for all that the host may send without an answer, so the link is read whatever the command does.
 *
 * The pipe is closed when the end has come and everything is written, and when the command has ended. It stays open
 * when the link ends: the command is then ended by signals, and must not take what has come for the whole input.
 */
#include "link.h"

#include <errno.h>
#include <fcntl.h>

/* The host is told when so much more is written. Its next frame then acknowledges that, and this frame the one before:
 * where both are sent seldom, each waits for the other's TCP. What is less is not told, so that it delays no output. */
enum { STEP = 16 * 1024 };

int fwsv_input_open(agent_state *link, int *end) {
  int both[2];
  int error = (int)RAW2(__NR_pipe2, both, O_CLOEXEC);
  if (error < 0) return error;
  *end = both[0];
  link->input.pipe = both[1];
  link->input.is_refused = false;
  return (int)RAW3(__NR_fcntl, both[1], F_SETFL, O_NONBLOCK);
}

void fwsv_input_drop(agent_state *link) {
  input_state *input = &link->input;
  close_fd(&input->pipe);
  input->begin = input->count = 0;
  input->written = input->told = 0;
  input->is_whole = false;
}

/* The command does not read any more, or its pipe cannot be written to. */
static void refuse(input_state *input, int32_t error) {
  close_fd(&input->pipe);
  input->count = 0;
  input->is_refused = true;
  input->error = error;
}

bool fwsv_input_take(agent_state *link, const char *bytes, size_t count) {
  input_state *input = &link->input;
  if (input->pipe < 0) return true;
  if (input->is_whole || count > FWA_WINDOW - input->count) return false;
  while (count > 0) {
    size_t at = (input->begin + input->count) % FWA_WINDOW;
    size_t part = FWA_WINDOW - at < count ? FWA_WINDOW - at : count;
    copy(input->bytes + at, bytes, part);
    input->count += part;
    bytes += part;
    count -= part;
  }
  return true;
}

void fwsv_input_end(agent_state *link) {
  /* What comes after a command has ended must not be the end of the next command's input. */
  if (link->input.pipe >= 0) link->input.is_whole = true;
}

void fwsv_input_write(agent_state *link) {
  input_state *input = &link->input;
  while (input->pipe >= 0 && input->count > 0) {
    size_t part = FWA_WINDOW - input->begin < input->count ? FWA_WINDOW - input->begin : input->count;
    long done = RAW3(__NR_write, input->pipe, input->bytes + input->begin, part);
    if (done == -EINTR) continue;
    if (done == -EAGAIN) return;
    if (done <= 0) return refuse(input, done == -EPIPE ? 0 : (int32_t)-done);
    input->begin = (input->begin + (size_t)done) % FWA_WINDOW;
    input->count -= (size_t)done;
    input->written += (uint64_t)done;
  }
  if (input->is_whole) close_fd(&input->pipe);
}

void fwsv_input_watch(agent_state *link, struct pollfd *item) {
  watch_fd(item, link->input.pipe);
  /* Without an event the kernel still tells that nobody can read any more. */
  item->events = link->input.count > 0 ? POLLOUT : 0;
}

void fwsv_input_heed(agent_state *link, const struct pollfd *item) {
  if (link->input.pipe < 0) return;
  if (item->revents & POLLERR) return refuse(&link->input, 0);
  if (item->revents != 0) fwsv_input_write(link);
}

void fwsv_input_tell(agent_state *link) {
  input_state *input = &link->input;
  if (input->written - input->told >= STEP && has_room(link, sizeof input->written)) {
    input->told = input->written;
    fwsv_link_append(link, FWA_TAKEN, &input->written, sizeof input->written);
    link->due = 0;
  }
  if (input->is_refused && has_room(link, sizeof input->error)) {
    input->is_refused = false;
    fwsv_link_append(link, FWA_CLOSED, &input->error, sizeof input->error);
    link->due = 0;
  }
}
