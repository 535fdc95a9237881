/*
 * The frames that the agent sends over its link. They are gathered for a moment, because what is written behind a first
 * piece may have to wait (agent.h).
 */
#include "link.h"

#include <errno.h>

/* Output is held back for this long, so that what follows goes with it. */
static const int64_t GATHERING = SECOND / 200;

size_t fwsv_text_length(const char *text) {
  size_t size = 0;
  while (text[size] != 0) size++;
  return size;
}

void fwsv_link_end(agent_state *link) {
  close_fd(&link->in);
  close_fd(&link->out);
  link->begin = link->end = 0;
  link->is_over = true;
}

bool fwsv_link_is_due(const agent_state *link) {
  return link->begin < link->end && (link->end - link->begin >= HEAVY || fwsv_monotonic() >= link->due);
}

void fwsv_link_flush(agent_state *link) {
  if (!fwsv_link_is_due(link)) return;
  while (link->out >= 0 && link->begin < link->end) {
    long count = RAW3(__NR_write, link->out, link->output + link->begin, link->end - link->begin);
    if (count == -EINTR) continue;
    if (count == -EAGAIN) return;
    if (count <= 0) return fwsv_link_end(link);
    link->begin += (size_t)count;
  }
  link->begin = link->end = 0;
}

void fwsv_link_add_head(agent_state *link, uint32_t kind, size_t size) {
  if (link->begin == link->end) {
    link->due = fwsv_monotonic() + GATHERING;
  } else if (link->last >= link->begin) {
    uint32_t before;
    copy(&before, link->output + link->last, sizeof before);
    before |= FWA_MORE;
    copy(link->output + link->last, &before, sizeof before);
  }
  fwa_head head = {.kind = kind, .size = (uint32_t)size};
  copy(link->output + link->end, &head, sizeof head);
  link->last = link->end;
  link->end += sizeof head + size;
}

void fwsv_link_append(agent_state *link, uint32_t kind, const void *bytes, size_t size) {
  if (link->out < 0 || !has_room(link, size)) return;
  copy(link->output + link->end + sizeof(fwa_head), bytes, size);
  fwsv_link_add_head(link, kind, size);
}

void fwsv_link_greet(agent_state *link, char **environment) {
  char *start = link->output + sizeof(fwa_head);
  fwa_hello hello = {.protocol = FWA_PROTOCOL, .pid = (int32_t)RAW0(__NR_getpid)};
  copy(start, &hello, sizeof hello);
  size_t size = sizeof hello;
  for (; *environment != NULL; environment++) {
    size_t count = fwsv_text_length(*environment) + 1;
    if (size + count > PIECE) break;
    copy(start + size, *environment, count);
    size += count;
  }
  fwsv_link_add_head(link, FWA_HELLO, size);
  link->due = 0;
}
