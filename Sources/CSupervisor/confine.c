/*
 * What a process gives up for ever: privileges, files that Landlock does not name, capabilities, system calls.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>

static long cannot_be_regained(void) {
  if ((RAW5(__NR_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0) & SECBIT_NOROOT) != 0) return 0;
  /* A host that is root without CAP_SETPCAP. With an empty bounding set exec has nothing to give. */
  for (int capability = 0; capability < 64; capability++) {
    long has = RAW5(__NR_prctl, PR_CAPBSET_READ, capability, 0, 0, 0);
    if (has == 1) return -EPERM;
    if (has < 0) break;
  }
  return 0;
}

/* exec would give uid 0 all capabilities of the bounding set back, and the locked bit closes that by one call. Those of
 * files are closed by no_new_privs. */
long fwsv_drop_capabilities(void) {
  bool is_root = RAW0(__NR_geteuid) == 0 || RAW0(__NR_getuid) == 0;
  if (is_root) {
    const long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED;
    long result = RAW5(__NR_prctl, PR_SET_SECUREBITS, bits, 0, 0, 0);
    if (result < 0 && result != -EPERM) return result;
  }
  struct __user_cap_header_struct head;
  struct __user_cap_data_struct sets[2];
  head.version = _LINUX_CAPABILITY_VERSION_3;
  head.pid = 0;
  zero(sets, sizeof sets);
  /* The ambient set goes with the permitted one. */
  long result = RAW2(__NR_capset, &head, sets);
  return result < 0 || !is_root ? result : cannot_be_regained();
}

static long install_filter(const sandbox *sandbox) {
  const fwsv_sandbox *block = sandbox->block;
  int which = sandbox->layers & FWSV_LAYER_LANDLOCK ? FWSV_FILTER_LANDLOCK : FWSV_FILTER_ALONE;
  /* A view covers sockets of the host that are files. Those with abstract names are bounded by an own network, which
   * a list of ports has not, or by the scope of Landlock. */
  if (has_namespaces(sandbox) && (!block->has_ports || sandbox->has_scope)) which = FWSV_FILTER_NAMESPACES;
  struct sock_fprog program;
  zero(&program, sizeof program);
  program.len = (unsigned short)block->lengths[which];
  program.filter = (struct sock_filter *)(uintptr_t)block_at(block, block->filters[which]);
  return RAW3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

long fwsv_confine(const sandbox *sandbox, volatile uint32_t *stage) {
  *stage = FWSV_AT_PRIVILEGES;
  long result = RAW5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (result < 0) return result;
  *stage = FWSV_AT_LANDLOCK;
  if (sandbox->ruleset >= 0 && (result = RAW2(__NR_landlock_restrict_self, sandbox->ruleset, 0)) < 0) return result;
  *stage = FWSV_AT_CAPABILITIES;
  if ((result = fwsv_drop_capabilities()) < 0) return result;
  *stage = FWSV_AT_FILTER;
  return sandbox->layers & FWSV_LAYER_FILTER ? install_filter(sandbox) : 0;
}
