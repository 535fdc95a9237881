/*
 * The control groups of a command, which limit all its processes together, count what they use, and end them.
 *
 * The monitor makes a group in each directory that comes with a request, for one command, and removes it when nobody is
 * left. The command's first process enters them, and all others begin in them. An init of a sandbox stays outside.
 */
#ifndef GROUP_H
#define GROUP_H

#include "parts.h"

enum { GROUP_NAME = 72 };

/* One of them. Each number is -1 where there is none. */
struct group {
  int parent;      /* belongs to the descriptors of the request */
  int directory;   /* of the group */
  int processes;   /* its cgroup.procs, for writing: what may be done with it is decided when it is opened */
  uint32_t limits; /* that it keeps, as bits */
  bool is_second;  /* of version 2 */
};

struct groups {
  struct group all[FWSV_GROUPS];
  uint32_t count;
  const fwsv_request *request;
  uint32_t kept[FWSV_TREE_LIMITS];
  uint64_t number; /* of the command, for the name */
  bool has_swept;
  char name[GROUP_NAME];
};

/* Makes the groups of a request that has limits of the tree, and writes these limits. Returns 0 or a negative errno,
 * and then `limit` of the reply says which one cannot be kept. */
HIDDEN long fwsv_groups_make(groups *groups, const fwsv_request *request, const int *fds, fwsv_reply *reply);

/* The directory of a group of version 2, or -1. */
HIDDEN int fwsv_groups_into(const groups *groups);

/* Enters the groups, in the command's process, which may be in that of version 2 already. Returns 0 or a negative
 * errno, and `limit` says which limit cannot be kept. */
HIDDEN long fwsv_groups_enter(groups *groups, bool is_inside, volatile int *limit);

/* Gives the limits of the single process, with those that stand for limits of the tree that no group keeps. `more` is
 * room for them. */
HIDDEN const uint64_t *fwsv_groups_fall_back(groups *groups, const uint64_t *limits, uint64_t *more);

/* Writes into a reply what keeps the limits. */
HIDDEN void fwsv_groups_tell_kept(const groups *groups, fwsv_reply *reply);

/* Ends all processes at once, where the kernel can do that. */
HIDDEN void fwsv_groups_kill(const groups *groups);

/* Writes into a reply what the processes have used, and whether memory ran out. */
HIDDEN void fwsv_groups_tell(const groups *groups, fwsv_reply *reply);

/* Removes the groups, in which nobody is left. Returns 0, or a negative errno if one of them is still there; the next
 * monitor removes it then. */
HIDDEN long fwsv_groups_remove(groups *groups);

#endif
