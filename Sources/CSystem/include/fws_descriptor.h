/* Descriptors that the library keeps open in the host's process. */
#ifndef FWS_DESCRIPTOR_H
#define FWS_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor that the library keeps, and what it stands for. A host may close every descriptor that it finds, as
 * daemons do, and open others under the same numbers. Then the number belongs to the host, and the library must neither
 * use nor close it. */
typedef struct {
  int number; /* negative if there is no descriptor */
  int mark;
  uint64_t device, inode;
} fws_fd;

/* Records what a descriptor stands for that was just opened. */
fws_fd fws_fd_of(int number);

/* Whether the number still stands for what was recorded. */
bool fws_fd_is_ours(const fws_fd *_Nonnull fd);

/* Marks a descriptor that has no inode of its own (epoll, timer, event). Returns the number; for -1 the negative errno.
 */
int fws_marked(int number);

/* Closes the descriptor if it is still the library's. Keeps errno. */
void fws_fd_close(const fws_fd *_Nonnull fd);

/* Moves a descriptor that is one of 0 to 2 to a higher number. Returns the number; -1 stays -1, with its errno. */
int fws_above_standard(int fd);

#endif
