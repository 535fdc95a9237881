/*
 * The status file in the run directory, which gets a line about the end of each command of the agent (agent.h). The
 * host reads it if the link could not report the end.
 */
#include "link.h"

#include <fcntl.h>

static size_t add_number(char *line, size_t at, int64_t number) {
  char digits[24];
  size_t count = 0;
  if (number < 0) {
    line[at++] = '-';
    number = -number;
  }
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) line[at++] = digits[--count];
  line[at++] = ' ';
  return at;
}

/* Writes the line of the status file by one call, so that whoever sees its newline sees the whole line. Closing the
 * file is what sends the line to a file server. */
void fwsv_status_note(agent_state *link) {
  const char *name = link->location + fwsv_text_length(link->location) + 1;
  const fwsv_reply *reply = &link->reply;
  /* After the end of the link the host learns nothing from the file, and nobody would remove it. */
  if (*name == 0 || link->rundir < 0 || reply->kind != FWSV_ENDED || link->in < 0) return;
  int fd = (int)RAW4(__NR_openat, link->rundir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  char line[160];
  size_t at = add_number(line, 0, (int64_t)link->run.index);
  at = add_number(line, at, reply->status);
  at = add_number(line, at, reply->duration / 1000);
  at = add_number(line, at, reply->user);
  at = add_number(line, at, reply->system);
  at = add_number(line, at, reply->peak);
  line[at - 1] = '\n';
  RAW3(__NR_write, fd, line, at);
  RAW1(__NR_close, fd);
}
