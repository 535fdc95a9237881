/* Comes before each file of Sources/CSupervisor in the build of the faults, and leads its system calls to the seam. The
 * sources themselves know nothing of it. */
#include "raw.h"

__attribute__((visibility("hidden"))) long fault_raw(long number, long a, long b, long c, long d, long e, long f);

#undef RAW6
#define RAW6(n, a, b, c, d, e, f) fault_raw(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
