/* Where the program begins, and where a child with a stack of its own begins, which C cannot say. */
#include "parts.h"

#include <linux/sched.h>
#include <signal.h>

/* Chooses the program. exec lays out the stack: the number of arguments, the arguments, NULL, the environment. A
 * supervisor has no argument but its name. */
__attribute__((visibility("hidden"), used, noreturn)) void fwsv_main(long *stack) {
  long count = stack[0];
  if (count > 1) fwsv_agent((char **)(stack + 1), (char **)(stack + 2 + count));
  fwsv_supervisor();
}

/* The number of a system call, as text for the assembler. */
#define NUMBER(call) NUMBER_TEXT(call)
#define NUMBER_TEXT(number) #number

/* A line of C is a line of the assembler from here on. */
/* clang-format off */
#if defined(__x86_64__)
__asm__(
    ".pushsection fw_supervisor,\"ax\",@progbits\n"
    ".globl fwsv_entry\n.hidden fwsv_entry\n.type fwsv_entry,@function\n"
    "fwsv_entry:\n"
    "  xorl %ebp, %ebp\n"
    "  movq %rsp, %rdi\n"
    "  andq $-16, %rsp\n"
    "  call fwsv_main\n"
    "  hlt\n"
    ".size fwsv_entry, .-fwsv_entry\n"
    /* rdi flags, rsi stack, rdx body, rcx argument */
    ".globl fwsv_clone\n.hidden fwsv_clone\n.type fwsv_clone,@function\n"
    "fwsv_clone:\n"
    "  andq $-16, %rsi\n"
    "  subq $16, %rsi\n"
    "  movq %rdx, (%rsi)\n"
    "  movq %rcx, 8(%rsi)\n"
    "  xorl %edx, %edx\n"
    "  xorl %r10d, %r10d\n"
    "  xorl %r8d, %r8d\n"
    "  movl $" NUMBER(__NR_clone) ", %eax\n"
    "  syscall\n"
    "  testq %rax, %rax\n"
    "  jz 1f\n"
    "  ret\n"
    "1:\n"
    "  xorl %ebp, %ebp\n"
    "  popq %rax\n"
    "  popq %rdi\n"
    "  call *%rax\n"
    "  movl %eax, %edi\n"
    "  movl $" NUMBER(__NR_exit_group) ", %eax\n"
    "  syscall\n"
    "  hlt\n"
    ".size fwsv_clone, .-fwsv_clone\n"
    /* rdi struct clone_args, rsi its size, rdx body, rcx argument */
    ".globl fwsv_clone3\n.hidden fwsv_clone3\n.type fwsv_clone3,@function\n"
    "fwsv_clone3:\n"
    "  movq %rcx, %r8\n"
    "  movl $" NUMBER(__NR_clone3) ", %eax\n"
    "  syscall\n"
    "  testq %rax, %rax\n"
    "  jz 1f\n"
    "  ret\n"
    "1:\n"
    "  xorl %ebp, %ebp\n"
    "  movq %r8, %rdi\n"
    "  call *%rdx\n"
    "  movl %eax, %edi\n"
    "  movl $" NUMBER(__NR_exit_group) ", %eax\n"
    "  syscall\n"
    "  hlt\n"
    ".size fwsv_clone3, .-fwsv_clone3\n"
    ".popsection");
#elif defined(__aarch64__)
__asm__(
    ".pushsection fw_supervisor,\"ax\",@progbits\n"
    ".globl fwsv_entry\n.hidden fwsv_entry\n.type fwsv_entry,@function\n"
    "fwsv_entry:\n"
    "  mov x29, #0\n"
    "  mov x30, #0\n"
    "  mov x0, sp\n"
    "  bl fwsv_main\n"
    "  brk #1\n"
    ".size fwsv_entry, .-fwsv_entry\n"
    ".globl fwsv_clone\n.hidden fwsv_clone\n.type fwsv_clone,@function\n"
    "fwsv_clone:\n"
    "  and x1, x1, #-16\n"
    "  stp x2, x3, [x1, #-16]!\n"
    "  mov x2, #0\n"
    "  mov x3, #0\n"
    "  mov x4, #0\n"
    "  mov x8, #" NUMBER(__NR_clone) "\n"
    "  svc 0\n"
    "  cbz x0, 1f\n"
    "  ret\n"
    "1:\n"
    "  mov x29, #0\n"
    "  ldp x1, x0, [sp], #16\n"
    "  blr x1\n"
    "  mov x8, #" NUMBER(__NR_exit_group) "\n"
    "  svc 0\n"
    "  brk #1\n"
    ".size fwsv_clone, .-fwsv_clone\n"
    ".globl fwsv_clone3\n.hidden fwsv_clone3\n.type fwsv_clone3,@function\n"
    "fwsv_clone3:\n"
    "  mov x8, #" NUMBER(__NR_clone3) "\n"
    "  svc 0\n"
    "  cbz x0, 1f\n"
    "  ret\n"
    "1:\n"
    "  mov x29, #0\n"
    "  mov x0, x3\n"
    "  blr x2\n"
    "  mov x8, #" NUMBER(__NR_exit_group) "\n"
    "  svc 0\n"
    "  brk #1\n"
    ".size fwsv_clone3, .-fwsv_clone3\n"
    ".popsection");
#endif
/* clang-format on */

/* clone3(2), which takes the stack from a struct. The kernel keeps the registers of the body and its argument. */
HIDDEN long fwsv_clone3(const struct clone_args *arguments, size_t size, int (*body)(void *), void *argument);

long fwsv_clone_into(int group, unsigned long flags, void *stack, void *stack_end, int (*body)(void *),
                     void *argument) {
  struct clone_args arguments;
  zero(&arguments, sizeof arguments);
  arguments.flags = flags | CLONE_INTO_CGROUP;
  /* A sibling has the signal of the process that makes it. exec sets it to SIGCHLD in any case. */
  arguments.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD;
  arguments.stack = (uint64_t)(uintptr_t)stack;
  arguments.stack_size = (uint64_t)((char *)stack_end - (char *)stack);
  arguments.cgroup = (uint64_t)group;
  return fwsv_clone3(&arguments, sizeof arguments, body, argument);
}
