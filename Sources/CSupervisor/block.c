/*
 * Checks the sandbox of a request. The host is trusted, but what is wrong in a message must be an error and nothing
 * else, because the layers are made of it.
 */
#include "sandbox.h"

#include <linux/filter.h>

enum { INSTRUCTIONS = 4096 }; /* the most that the kernel takes (BPF_MAXINSNS) */

static const uint32_t KNOWN = FWSV_LAYER_NAMESPACES | FWSV_LAYER_LANDLOCK | FWSV_LAYER_FILTER;

/* Whether so many things of a size are inside of the block, at a multiple of their size. */
static bool has_room(uint64_t room, uint32_t place, uint64_t count, uint64_t size) {
  return place % size == 0 && place <= room && count * size <= room - place;
}

static bool check_paths(const fwsv_sandbox *block, uint64_t room) {
  if (block->optional_reads > reads_of(block)) return false;
  uint64_t count = (uint64_t)block->writes + reads_of(block);
  if (!has_room(room, block->paths, count, sizeof(uint32_t))) return false;
  const uint32_t *places = block_at(block, block->paths);
  for (uint64_t at = 0; at < count; at++) {
    /* The last byte of the block is a NUL, so each string has an end. */
    if (places[at] >= room || *(const char *)block_at(block, places[at]) != '/') return false;
  }
  return true;
}

static bool check_filters(const fwsv_sandbox *block, uint64_t room) {
  for (int which = 0; which < FWSV_FILTERS; which++) {
    uint32_t length = block->lengths[which];
    if (length == 0 || length > INSTRUCTIONS) return false;
    if (!has_room(room, block->filters[which], length, sizeof(struct sock_filter))) return false;
  }
  return true;
}

bool fwsv_find_sandbox(const fwsv_request *request, const uint64_t *table, const fwsv_sandbox **found) {
  uint64_t place = request->sandbox;
  if (place % 8 != 0 || place > request->size || request->size - place < sizeof(fwsv_sandbox)) return false;
  uint64_t room = request->size - place;
  const fwsv_sandbox *block = (const fwsv_sandbox *)((const char *)table + place);
  if (((const char *)block)[room - 1] != 0) return false;
  if (((block->needed | block->wanted) & ~KNOWN) != 0) return false;
  if (block->has_ports == 0 && block->port_count != 0) return false;
  if (!has_room(room, block->ports, block->port_count, sizeof(uint16_t))) return false;
  if (!check_paths(block, room) || !check_filters(block, room)) return false;
  *found = block;
  return true;
}
