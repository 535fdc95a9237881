#include "fws_requirement.h"

#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The linker defines both: the dynamic section of this library, and the beginning of its file in memory. */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* Some loaders turn the addresses of the dynamic section into pointers, and some do not. */
static const char *pointer(ElfW(Addr) address) {
  uintptr_t start = (uintptr_t)__ehdr_start;
  return (const char *)(address < start ? start + address : address);
}

void fws_required_glibc(int *minor) {
  const char *strings = NULL, *needed = NULL;
  size_t count = 0;
  for (const ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_STRTAB) strings = pointer(entry->d_un.d_ptr);
    if (entry->d_tag == DT_VERNEED) needed = pointer(entry->d_un.d_ptr);
    if (entry->d_tag == DT_VERNEEDNUM) count = entry->d_un.d_val;
  }
  *minor = 0;
  if (strings == NULL || needed == NULL) return;
  for (const ElfW(Verneed) *file = (const void *)needed; count > 0; count--) {
    const ElfW(Vernaux) *version = (const void *)((const char *)file + file->vn_aux);
    for (size_t i = 0; i < file->vn_cnt; i++) {
      const char *name = strings + version->vna_name;
      if (strncmp(name, "GLIBC_2.", 8) == 0) {
        int found = atoi(name + 8);
        if (found > *minor) *minor = found;
      }
      version = (const void *)((const char *)version + version->vna_next);
    }
    file = (const void *)((const char *)file + file->vn_next);
  }
}
