/*
 * Keys of SSH servers that a file of known hosts marks as revoked (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). libssh2
 * ignores the marks, so they are checked here. A key that is both listed for a host and revoked counts as revoked.
 */
#define _GNU_SOURCE
#include "call.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  const char *start;
  size_t size;
} word;

static word next_word(const char **text) {
  const char *start = *text + strspn(*text, " \t\r\n");
  size_t size = strcspn(start, " \t\r\n");
  *text = start + size;
  return (word){start, size};
}

static bool is_word(word word, const char *text) {
  return word.size == strlen(text) && memcmp(word.start, text, word.size) == 0;
}

/* Whether a name matches a pattern, in which `*` stands for any bytes and `?` for one. Case does not matter. */
static bool matches(word pattern, const char *name) {
  const char *at = pattern.start, *end = at + pattern.size, *star = NULL, *resume = NULL;
  while (*name != 0) {
    if (at < end && *at == '*') {
      star = ++at;
      resume = name;
    } else if (at < end && (*at == '?' || tolower((unsigned char)*at) == tolower((unsigned char)*name))) {
      at++;
      name++;
    } else if (star != NULL) {
      at = star;
      name = ++resume;
    } else {
      return false;
    }
  }
  while (at < end && *at == '*') at++;
  return at == end;
}

/* Whether an entry is for a host. A hashed name counts as that of any host, because a key that somebody has revoked
 * should not be trusted. */
static bool is_for(word hosts, const char *host, const char *host_and_port) {
  bool found = false;
  for (const char *at = hosts.start, *end = at + hosts.size; at < end;) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    word pattern = {at, (size_t)((comma == NULL ? end : comma) - at)};
    at += pattern.size + 1;
    bool is_negated = pattern.size > 0 && *pattern.start == '!';
    if (is_negated) pattern = (word){pattern.start + 1, pattern.size - 1};
    bool is_match =
        (pattern.size > 0 && *pattern.start == '|') || matches(pattern, host) || matches(pattern, host_and_port);
    if (is_match && is_negated) return false;
    found = found || is_match;
  }
  return found;
}

/* The text without the `=` at its end; NULL if there is no memory. */
static char *base64(const unsigned char *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *text = malloc(size / 3 * 4 + 5);
  if (text == NULL) return NULL;
  char *to = text;
  for (size_t at = 0; at < size; at += 3) {
    size_t left = size - at;
    unsigned value =
        (unsigned)bytes[at] << 16 | (left > 1 ? (unsigned)bytes[at + 1] << 8 : 0) | (left > 2 ? bytes[at + 2] : 0);
    for (size_t digit = 0; digit < 4 && digit <= left; digit++) *to++ = digits[value >> (18 - 6 * digit) & 63];
  }
  *to = 0;
  return text;
}

static word without_padding(word text) {
  while (text.size > 0 && text.start[text.size - 1] == '=') text.size--;
  return text;
}

static long revoked_line(FILE *file, const char *host, const char *host_and_port, word key) {
  char *line = NULL;
  size_t size = 0;
  long number = 0, found = 0;
  errno = 0;
  while (found == 0 && getline(&line, &size, file) >= 0) {
    number++;
    const char *rest = line;
    if (!is_word(next_word(&rest), "@revoked")) continue;
    word hosts = next_word(&rest);
    next_word(&rest); /* the type of the key, which the key contains as well */
    word revoked = without_padding(next_word(&rest));
    if (revoked.size == key.size && key.size > 0 && memcmp(revoked.start, key.start, key.size) == 0 &&
        is_for(hosts, host, host_and_port))
      found = number;
  }
  free(line);
  return found == 0 && (ferror(file) || errno == ENOMEM) ? -1 : found;
}

long fws_known_hosts_revoked_line(const char *path, const char *host, long port, const struct curl_khkey *key) {
  int fd = fws_above_standard(open(path, O_RDONLY | O_CLOEXEC));
  /* A file that cannot be read has no entry for the server either, so libssh2 refuses the connection. */
  if (fd < 0) return 0;
  FILE *file = fdopen(fd, "r");
  if (file == NULL) {
    close(fd);
    return -1;
  }
  long found = -1;
  char *host_and_port = NULL;
  /* libcurl passes the bytes with their number, or base64 text with a length of 0. */
  char *text = key->len > 0 ? base64((const unsigned char *)key->key, key->len) : strdup(key->key);
  if (text != NULL && asprintf(&host_and_port, "[%s]:%ld", host, port) >= 0) {
    found = revoked_line(file, host, host_and_port, without_padding((word){text, strlen(text)}));
    free(host_and_port);
  }
  free(text);
  fclose(file);
  return found;
}
