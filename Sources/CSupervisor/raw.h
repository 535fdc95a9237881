/*
 * System calls and strings for a program without a C library.
 *
 * All code of the supervisor is in one section of the library, so that it can be copied into a file of its own where
 * the library's file cannot be run (CSupervisorClient/start.c). So the code must need nothing outside of that section:
 * no string literals (TEXT makes a string inside the section), no tables of the compiler's, no memcpy.
 * Tests/c/supervisor/supervisor_object.sh checks this.
 */
#ifndef RAW_H
#define RAW_H

#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang section text = "fw_supervisor"

#define INLINE static inline __attribute__((always_inline))

/* Makes a system call, and returns what the kernel returns: a negative errno on failure. */
#if defined(__x86_64__)
INLINE long raw(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  register long sixth __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
INLINE long raw(long number, long a, long b, long c, long d, long e, long f) {
  register long which __asm__("x8") = number;
  register long r0 __asm__("x0") = a;
  register long r1 __asm__("x1") = b;
  register long r2 __asm__("x2") = c;
  register long r3 __asm__("x3") = d;
  register long r4 __asm__("x4") = e;
  register long r5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(r0) : "r"(which), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
  return r0;
}
#else
#error "the supervisor makes its own system calls: how this architecture makes one is missing here"
#endif

#define RAW6(n, a, b, c, d, e, f) raw(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RAW5(n, a, b, c, d, e) RAW6(n, a, b, c, d, e, 0)
#define RAW4(n, a, b, c, d) RAW5(n, a, b, c, d, 0)
#define RAW3(n, a, b, c) RAW5(n, a, b, c, 0, 0)
#define RAW2(n, a, b) RAW5(n, a, b, 0, 0, 0)
#define RAW1(n, a) RAW5(n, a, 0, 0, 0, 0)
#define RAW0(n) RAW5(n, 0, 0, 0, 0, 0)

/* A string among the code, for one file. */
#define TEXT(name, string)                                        \
  extern const char name[] __attribute__((visibility("hidden"))); \
  __asm__(".pushsection fw_supervisor,\"ax\",@progbits\n" #name ":\n.asciz \"" string "\"\n.balign 16\n.popsection")

/* Whether a system call that returns an address has failed: the last page stands for errnos. */
INLINE bool is_error(long result) { return result < 0 && result > -4096; }

INLINE void zero(void *memory, size_t size) {
  for (size_t at = 0; at < size; at++) ((volatile char *)memory)[at] = 0;
}

#endif
