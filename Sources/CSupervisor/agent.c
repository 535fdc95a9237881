/*
 * The agent (agent.h) runs one command after the other, and writes the output and the end of each into one stream.
 *
 * It waits for everything at once, so that it hears a stop even while nobody reads the output. What ends the link ends
 * the command, too.
 */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

TEXT(name_agent, "fw-agent");
TEXT(path_null, "/dev/null");

/* --- the command ------------------------------------------------------------------ */

static void close_ends(agent_state *link) {
  for (int end = 0; end < ENDS; end++) close_fd(&link->ends[end]);
}

/* Returns the channel to the monitor, which is started if there is none; or a negative errno and what failed. */
static int monitor_of(agent_state *link, int *stage) {
  if (link->channel >= 0) return link->channel;
  int ends[2];
  *stage = FWSV_AT_SOCKET;
  long result = RAW4(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
  if (result < 0) return (int)result;
  *stage = FWSV_AT_CLONE;
  long pid = RAW5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    /* The job step lasts as long as anybody holds its streams, so only the agent may hold them. */
    close_fd(&link->in);
    close_fd(&link->out);
    close_fd(&link->signals);
    /* The command's streams end where the agent and the command end them. */
    for (int stream = 0; stream < STREAMS; stream++) close_fd(&link->pipes[stream]);
    close_fd(&link->input.pipe);
    close_ends(link);
    RAW1(__NR_close, ends[0]);
    fwsv_monitor(ends[1], -1);
  }
  RAW1(__NR_close, ends[1]);
  if (pid < 0) {
    RAW1(__NR_close, ends[0]);
    return (int)pid;
  }
  return link->channel = ends[0];
}

static void fail(agent_state *link, int stage, int error) {
  zero(&link->reply, offsetof(fwsv_reply, processes));
  link->reply.kind = FWSV_FAILED;
  link->reply.stage = stage;
  link->reply.error = error;
  link->is_started = link->has_reply = true;
  fwsv_input_drop(link);
}

static int send_request(agent_state *link, const int *fds, size_t count, int *stage) {
  int channel = monitor_of(link, stage);
  if (channel < 0) return channel;
  *stage = FWSV_AT_REQUEST;
  return fwsv_send_message(channel, &link->run.request, sizeof link->run.request, fds, count, -1);
}

/* Makes the pipes of the command. Returns 0 or a negative errno. */
static int open_pipes(agent_state *link) {
  for (int stream = 0; stream < STREAMS; stream++) {
    int both[2];
    int error = (int)RAW2(__NR_pipe2, both, O_CLOEXEC);
    if (error < 0) return error;
    link->pipes[stream] = both[0];
    link->ends[stream] = both[1];
    link->errors[stream] = 0;
    link->left[stream] = INT64_MAX;
    error = (int)RAW3(__NR_fcntl, both[0], F_SETFL, O_NONBLOCK);
    if (error < 0) return error;
  }
  return link->run.request.has_input ? fwsv_input_open(link, &link->ends[STREAMS]) : 0;
}

static void start(agent_state *link) {
  fwsv_request *request = &link->run.request;
  link->cut = 0;
  int stage = FWSV_AT_STREAMS;
  int error = open_pipes(link);
  if (error >= 0) {
    stage = FWSV_AT_CHDIR;
    link->rundir = (int)RAW4(__NR_openat, AT_FDCWD, link->location, O_DIRECTORY | O_CLOEXEC, 0);
    error = link->rundir;
  }
  if (error >= 0) {
    int fds[FWSV_FDS] = {link->ends[0], link->ends[1], link->rundir, link->texts, link->ends[STREAMS]};
    size_t count = request->has_input ? FWSV_FD_IN + 1 : FWSV_FD_IN;
    request->has_rundir = request->has_file = 1;
    request->keep_rundir = request->has_input_end = 0;
    error = send_request(link, fds, count, &stage);
    if (error == -EPIPE || error == -ECONNRESET) {
      /* Somebody has killed the monitor while it waited. */
      close_fd(&link->channel);
      error = send_request(link, fds, count, &stage);
    }
  }
  close_ends(link);
  link->is_running = true;
  link->is_started = request->tell_start == 0;
  if (error < 0) fail(link, stage, -error);
}

/* Whether there is a command that has not ended. */
static bool has_command(const agent_state *link) { return link->is_running && !link->has_reply && link->channel >= 0; }

/* Sends a message about the command to its monitor. */
static void tell_monitor(agent_state *link, uint32_t kind, uint32_t signal) {
  if (!has_command(link)) return;
  fwsv_request request;
  zero(&request, sizeof request);
  request.kind = kind;
  request.signal = signal;
  fwsv_send_message(link->channel, &request, sizeof request, NULL, 0, -1);
}

static void stop(agent_state *link) { tell_monitor(link, FWSV_STOP, 0); }

/* --- what comes in ---------------------------------------------------------------- */

/* How many of the next `count` bytes belong to the part of a message that goes from `from` to `to`. */
static size_t part_of(const agent_state *link, uint64_t from, uint64_t to, size_t count) {
  if (link->taken < from || link->taken >= to) return 0;
  uint64_t missing = to - link->taken;
  return count < missing ? count : (size_t)missing;
}

static bool write_texts(agent_state *link, const char *bytes, size_t count, uint64_t offset) {
  if (link->texts < 0) link->texts = (int)RAW2(__NR_memfd_create, name_agent, MFD_CLOEXEC);
  while (count > 0) {
    long done = RAW4(__NR_pwrite64, link->texts, bytes, count, offset);
    if (done == -EINTR) continue;
    if (done <= 0) return false;
    bytes += done;
    count -= (size_t)done;
    offset += (uint64_t)done;
  }
  return true;
}

/* Whether the kind of a frame is known here and may come now, and its size is one that the kind has. */
static bool is_frame(const agent_state *link) {
  const uint32_t size = link->head.size;
  if (link->head.kind == FWA_HOLD) return size == sizeof link->hold;
  if (link->head.kind == FWA_SIGNAL) return size == sizeof link->signal;
  if (link->head.kind == FWA_RUN) return size >= sizeof link->run && !link->is_running;
  if (link->head.kind == FWA_STOP || link->head.kind == FWA_ACK) return size == 0;
  return link->head.kind == FWA_IN;
}

/* Whether the numbers of an FWA_RUN fit together. */
static bool is_run(const agent_state *link) {
  const fwa_run *run = &link->run;
  return run->location <= FWA_LOCATION && run->request.size <= UINT32_MAX && run->begin <= run->request.size &&
         run->same <= run->request.size - run->begin &&
         link->head.size == sizeof *run + run->request.size - run->same + run->location;
}

/* Takes the next bytes; false if they are not a message of the protocol. */
static bool take(agent_state *link, const char *bytes, size_t count) {
  while (count > 0) {
    const uint64_t head = sizeof(fwa_head);
    const uint64_t texts = head + sizeof(fwa_run);
    size_t part = part_of(link, 0, head, count);
    if (part > 0) {
      copy((char *)&link->head + link->taken, bytes, part);
    } else if (link->head.kind == FWA_HOLD) {
      part = part_of(link, head, head + sizeof link->hold, count);
      copy((char *)&link->hold + (link->taken - head), bytes, part);
    } else if (link->head.kind == FWA_SIGNAL) {
      part = part_of(link, head, head + sizeof link->signal, count);
      copy((char *)&link->signal + (link->taken - head), bytes, part);
    } else if (link->head.kind == FWA_IN) {
      part = part_of(link, head, head + link->head.size, count);
      if (!fwsv_input_take(link, bytes, part)) return false;
    } else if ((part = part_of(link, head, texts, count)) > 0) {
      copy((char *)&link->run + (link->taken - head), bytes, part);
    } else {
      const fwa_run *run = &link->run;
      const uint64_t location_begin = texts + run->request.size - run->same;
      if ((part = part_of(link, texts, location_begin, count)) > 0) {
        /* The texts have a gap where the frame has none: the bytes that are the same as before. */
        uint64_t at = link->taken - texts;
        if (at < run->begin) {
          if (part > run->begin - at) part = (size_t)(run->begin - at);
        } else {
          at += run->same;
        }
        if (!write_texts(link, bytes, part, at)) return false;
      } else {
        part = part_of(link, location_begin, location_begin + run->location, count);
        copy(link->location + (link->taken - location_begin), bytes, part);
      }
    }
    if (part == 0) return false;
    link->taken += part;
    bytes += part;
    count -= part;
    if (link->taken == head && !is_frame(link)) return false;
    if (link->taken == texts && link->head.kind == FWA_RUN && !is_run(link)) return false;
    if (link->taken < head || link->taken < head + link->head.size) continue;
    link->taken = 0;
    link->has_asked = false;
    if (link->head.kind == FWA_HOLD) {
      link->until = later(fwsv_monotonic(), link->hold);
      /* The request for the next command would wait until this frame is acknowledged. */
      fwsv_link_append(link, FWA_ACK, NULL, 0);
      link->due = 0;
    } else if (link->head.kind == FWA_ACK) {
      /* The frame has nothing to say: it only acknowledges. */
    } else if (link->head.kind == FWA_STOP) {
      stop(link);
    } else if (link->head.kind == FWA_IN) {
      if (link->head.size == 0) fwsv_input_end(link);
      fwsv_input_write(link);
    } else if (link->head.kind == FWA_SIGNAL) {
      if (link->signal.kind != FWSV_SIGNAL_MAIN && link->signal.kind != FWSV_SIGNAL_TREE) return false;
      tell_monitor(link, link->signal.kind, link->signal.number);
    } else if (link->head.kind == FWA_RUN) {
      size_t end = link->run.location < FWA_LOCATION ? link->run.location : FWA_LOCATION;
      link->location[end] = 0;
      /* There are two strings: the second one begins behind the first. */
      if (fwsv_text_length(link->location) + 1 >= end) return false;
      start(link);
    }
  }
  return true;
}

static void take_input(agent_state *link) {
  long count = RAW3(__NR_read, link->in, link->received, PIECE);
  if (count == -EINTR || count == -EAGAIN) return;
  link->until = INT64_MAX;
  if (count > 0 && take(link, link->received, (size_t)count)) {
    if (link->taken > 0 && !link->has_asked) {
      link->has_asked = true;
      fwsv_link_append(link, FWA_ACK, NULL, 0);
      link->due = 0;
    }
    return;
  }
  /* The link has ended, or says what cannot be. Both end the command. */
  close_fd(&link->in);
  link->is_over = true;
  stop(link);
}

/* Reads once from a stream of the command. */
static void read_stream(agent_state *link, int stream) {
  size_t most = link->left[stream] < PIECE ? (size_t)link->left[stream] : PIECE;
  char *start = link->output + link->end;
  if (most == 0 || !has_room(link, PIECE)) return;
  long count = RAW3(__NR_read, link->pipes[stream], start + sizeof(fwa_head), most);
  if (count == -EINTR || (count == -EAGAIN && !link->has_reply)) return;
  if (count < 0 && count != -EAGAIN) {
    /* An error is not the end of the output, and may pass. */
    if (++link->errors[stream] <= READ_ERRORS) return;
    link->cut |= 1u << stream;
  }
  if (count <= 0) return close_fd(&link->pipes[stream]);
  link->errors[stream] = 0;
  if (link->left[stream] != INT64_MAX) link->left[stream] -= count;
  if (link->out >= 0) fwsv_link_add_head(link, stream == 0 ? FWA_OUT : FWA_ERR, (size_t)count);
}

/* What the monitor says. */
static void hear(agent_state *link) {
  struct iovec part = {.iov_base = &link->reply, .iov_len = sizeof link->reply};
  struct msghdr message;
  zero(&message, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  long size = fwsv_receive_message(link->channel, &message);
  if (size == -EAGAIN) return;
  link->is_started = true;
  if (size < (long)offsetof(fwsv_reply, processes)) {
    /* The monitor has ended without a reply. */
    close_fd(&link->channel);
    zero(&link->reply, offsetof(fwsv_reply, processes));
    link->reply.kind = FWSV_ENDED;
    link->reply.status = -1;
  } else if (link->reply.kind == FWSV_STARTED) {
    return fwsv_link_append(link, FWA_REPLY, &link->reply, offsetof(fwsv_reply, processes));
  }
  if (link->reply.left != 0 || link->reply.is_last) close_fd(&link->channel);
  link->has_reply = true;
  fwsv_input_drop(link);
  for (int stream = 0; stream < STREAMS; stream++) {
    int waiting = 0;
    if (link->pipes[stream] < 0) continue;
    /* Where the kernel does not tell how much there is, the pipe holds no more than its capacity. */
    if (RAW3(__NR_ioctl, link->pipes[stream], FIONREAD, &waiting) < 0) waiting = PIPE_CAPACITY;
    link->left[stream] = waiting;
  }
  fwsv_status_note(link);
}

/* Obeys the scheduler, which asks for the end. It also signals the command, which may end before the agent is told. */
static void heed_signals(agent_state *link) {
  long size = RAW3(__NR_read, link->signals, link->received, PIECE);
  if (size <= 0) return;
  link->is_over = link->is_asked = true;
  stop(link);
}

/* Sends the reply once all output has been sent. */
static void tell_end(agent_state *link) {
  size_t shown = link->reply.others < FWSV_SHOWN ? link->reply.others : FWSV_SHOWN;
  size_t size = offsetof(fwsv_reply, processes) + shown * sizeof(fwsv_process);
  for (int stream = 0; stream < STREAMS; stream++)
    if (link->pipes[stream] >= 0 && link->left[stream] > 0) return;
  link->reply.is_cut = link->cut;
  fwsv_input_tell(link);
  if (link->input.is_refused || !has_room(link, size)) return;
  heed_signals(link);
  if (link->is_asked && link->reply.kind == FWSV_ENDED && link->reply.reason == FWSV_BY_ITSELF)
    link->reply.reason = FWSV_BY_STOP;
  fwsv_link_append(link, FWA_REPLY, &link->reply, size);
  link->due = 0;
  close_fd(&link->pipes[0]);
  close_fd(&link->pipes[1]);
  close_fd(&link->rundir);
  link->is_running = link->has_reply = false;
  if (link->run.hold >= 0) link->until = later(fwsv_monotonic(), link->run.hold);
}

static void poll_streams(agent_state *link) {
  fwsv_input_tell(link);
  enum { ITEMS = 5 + STREAMS };
  struct pollfd items[ITEMS];
  watch_fd(&items[0], link->in);
  watch_fd(&items[1], link->signals);
  watch_fd(&items[2], link->has_reply ? -1 : link->channel);
  watch_fd(&items[3], link->out);
  items[3].events = fwsv_link_is_due(link) ? POLLOUT : 0;
  for (int stream = 0; stream < STREAMS; stream++)
    watch_fd(&items[4 + stream], has_room(link, PIECE) && link->is_started ? link->pipes[stream] : -1);
  fwsv_input_watch(link, &items[4 + STREAMS]);
  int64_t until = link->is_running || link->is_over ? INT64_MAX : link->until;
  if (fwsv_monotonic() >= until) {
    /* What is in the buffer still has to be sent. */
    link->is_over = true;
    link->due = 0;
    return fwsv_link_flush(link);
  }
  if (link->begin < link->end && items[3].events == 0 && link->due < until) until = link->due;
  int64_t left = until == INT64_MAX ? 0 : until - fwsv_monotonic();
  if (left < 0) left = 0;
  struct timespec time;
  time.tv_sec = left / SECOND;
  time.tv_nsec = left % SECOND;
  if (!fwsv_look_at(items, ITEMS, until == INT64_MAX ? NULL : &time))
    /* Everything is tried, and nothing of it waits. */
    for (int item = 0; item < ITEMS; item++) items[item].revents = items[item].fd >= 0 ? items[item].events : 0;
  if (items[1].revents != 0) heed_signals(link);
  if (items[0].revents != 0) take_input(link);
  fwsv_input_heed(link, &items[4 + STREAMS]);
  if (items[2].revents != 0 && link->channel >= 0) hear(link);
  for (int stream = 0; stream < STREAMS; stream++)
    if (items[4 + stream].revents != 0 && link->pipes[stream] >= 0) read_stream(link, stream);
  if (link->has_reply) tell_end(link);
  if (items[3].revents != 0 && !(items[3].revents & POLLOUT)) {
    /* Nobody reads the link any more. */
    fwsv_link_end(link);
    stop(link);
  }
  fwsv_link_flush(link);
}

/* Below are the numbers that a command gets, and room for those of the host that started the agent. */
enum { LOWEST_OWN = 10 };

static int moved(int fd) {
  long copy = RAW3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, LOWEST_OWN);
  return copy < 0 ? -1 : (int)copy;
}

void fwsv_agent(char **arguments, char **environment) {
  fwsv_set_signals();
  RAW5(__NR_prctl, PR_SET_NAME, name_agent, 0, 0, 0);
  /* The file of this program was copied here for this run only. */
  RAW3(__NR_unlinkat, AT_FDCWD, arguments[0], 0);
  long memory = RAW6(__NR_mmap, 0, sizeof(agent_state), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (is_error(memory)) RAW1(__NR_exit_group, 1);
  agent_state *link = (agent_state *)memory;
  link->channel = link->rundir = link->texts = link->pipes[0] = link->pipes[1] = -1;
  for (int end = 0; end < ENDS; end++) link->ends[end] = -1;
  link->input.pipe = -1;
  link->until = INT64_MAX;
  link->in = moved(0);
  link->out = moved(1);
  /* Commands read from /dev/null, and must not hold the link open. */
  long null = RAW4(__NR_openat, AT_FDCWD, path_null, O_RDWR | O_CLOEXEC, 0);
  RAW3(__NR_dup3, null, 0, 0);
  RAW3(__NR_dup3, null, 1, 0);
  /* Without its link an agent is of no use, and one that waits in a call on it would hear nothing else meanwhile. */
  for (int end = 0; end < 2; end++)
    if (RAW3(__NR_fcntl, end == 0 ? link->in : link->out, F_SETFL, O_NONBLOCK) < 0) RAW1(__NR_exit_group, 1);
  uint64_t asked = 1ull << (SIGTERM - 1) | 1ull << (SIGINT - 1) | 1ull << (SIGHUP - 1);
  link->signals = (int)RAW4(__NR_signalfd4, -1, &asked, sizeof asked, O_CLOEXEC | O_NONBLOCK);
  fwsv_link_greet(link, environment);
  fwsv_link_flush(link);
  while (!link->is_over || link->is_running || link->begin < link->end) poll_streams(link);
  RAW1(__NR_exit_group, 0);
  __builtin_unreachable();
}
