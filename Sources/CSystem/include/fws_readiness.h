/* Waiting for descriptors, and descriptors that say when something is due. */
#ifndef FWS_READINESS_H
#define FWS_READINESS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* poll(2) with a timeout in seconds; a negative one waits without a limit. After an interruption nothing is ready.
 * FWS_GUESSED: the system refused to look, and each item is marked as readable, which it may not be. */
enum { FWS_KNOWN, FWS_GUESSED };
int fws_poll(struct pollfd *_Nonnull items, unsigned count, double seconds);

/* Makes an epoll descriptor. Returns it, or a negative errno. */
int fws_epoll(void);

/* Watches a descriptor for input, with its number as the token. Returns false if the system cannot watch one more. */
bool fws_epoll_add(int epoll, int fd);
/* Watches a descriptor for room: until it can be written to. Returns false if the system cannot watch one more. */
bool fws_epoll_add_room(int epoll, int fd);
void fws_epoll_remove(int epoll, int fd);

/* Watches a descriptor for input, and remembers a token for it. Returns false if the system cannot watch one more.
 * A descriptor that is watched already keeps its token. */
bool fws_epoll_add_as(int epoll, int fd, uint64_t token);
/* Gives the tokens of descriptors that are ready, at most so many of them, and does not wait. Returns their number,
 * or -1. */
int fws_epoll_take(int epoll, uint64_t *_Nonnull tokens, int most);

/* Sets whether a watched descriptor that can be written to counts as ready, too. */
bool fws_epoll_write(int epoll, int fd, bool counts);
/* Sets the token of a watched descriptor, and whether it counts as ready when it can be read. This needs neither memory
 * nor a descriptor. */
bool fws_epoll_count(int epoll, int fd, uint64_t token, bool counts);

/* Makes a descriptor that can be read at any time. Returns it, or a negative errno. */
int fws_readable(void);

/* Makes a descriptor that can be read from fws_wake() to fws_wake_taken(), which any thread may call. Returns it, or a
 * negative errno. */
int fws_waker(void);
void fws_wake(int waker);
void fws_wake_taken(int waker);

/* Makes a descriptor that can be read when the seconds have passed. Returns it, or a negative errno. */
int fws_timer(double seconds);
bool fws_timer_is_over(int timer);
bool fws_timer_set(int timer, double seconds);

#endif
