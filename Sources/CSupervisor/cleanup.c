/* The cleanup request that a monitor keeps for a container engine, and sends when the host has gone. */
#include "parts.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

/* The time that a cleanup request may take: an engine stops containers, each with its grace. */
static const int64_t CLEANUP_LIMIT = 300ll * SECOND;

/* model: MONITOR_CLEANING. Sends the bytes of a cleanup request, and reads the answers until the server closes the
 * connection: a server drops requests of a connection that is closed before they are answered. */
void fwsv_carry_out(const char *texts, uint64_t size, uint64_t address) {
  uint64_t sent = address;
  if (size > FWSV_INLINE || sent >= size || sent < sizeof(uint16_t)) return;
  uint16_t family = *(const uint16_t *)(const void *)texts;
  long socket = RAW3(__NR_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  long error = socket < 0 ? socket : RAW3(__NR_connect, socket, texts, sent);
  if (error < 0 && error != -EINPROGRESS && error != -EAGAIN) return;
  int64_t end = fwsv_monotonic() + CLEANUP_LIMIT;
  while (fwsv_monotonic() < end) {
    struct pollfd item;
    watch_fd(&item, (int)socket);
    if (sent < size) item.events |= POLLOUT;
    struct timespec time;
    time.tv_sec = 1;
    time.tv_nsec = 0;
    if (!fwsv_look_at(&item, 1, &time)) item.revents = item.events;
    if (item.revents & POLLOUT) {
      long count = RAW6(__NR_sendto, socket, texts + sent, size - sent, MSG_NOSIGNAL, 0, 0);
      if (count > 0) sent += (uint64_t)count;
      if (count < 0 && count != -EAGAIN && count != -EINTR) return;
    }
    if (item.revents & ~POLLOUT) {
      char answer[4096];
      long count = RAW3(__NR_read, socket, answer, sizeof answer);
      if (count == 0 || (count < 0 && count != -EAGAIN && count != -EINTR)) return;
    }
  }
}
