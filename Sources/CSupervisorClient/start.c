/*
 * The supervisor's program is the library's own file, whose entry point leads to it. There are cases in which that file
 * cannot be run: Debian installs libraries without the right to execute, a file system may be mounted noexec, the file
 * may have been replaced, or the library may be linked into another program. Then the program's pages are copied into a
 * memory file. The library's file is tried first, because some systems refuse to run memory files (vm.memfd_noexec) or
 * report them.
 */
#define _GNU_SOURCE
#include "fws_supervisor.h"

#include "fws_files.h"
#include "fws_fork.h"
#include "fws_stream.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The ELF header of the file that this code is in. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

enum { PAGE = 4096 };

/* Code may address its own constants by page, so the copy begins at the beginning of a page. */
static const char *pages(size_t *size) {
  uintptr_t begin = (uintptr_t)__start_fw_supervisor & ~(uintptr_t)(PAGE - 1);
  *size = (uintptr_t)__stop_fw_supervisor - begin;
  return (const char *)begin;
}

/* Whether a file has this content at an offset. */
static int has(int file, const char *content, size_t size, off_t offset) {
  char part[PAGE];
  while (size > 0) {
    ssize_t got = TEMP_FAILURE_RETRY(pread(file, part, size < sizeof part ? size : sizeof part, offset));
    if (got <= 0 || memcmp(part, content, (size_t)got) != 0) return 0;
    content += got;
    size -= (size_t)got;
    offset += got;
  }
  return 1;
}

/* Opens the file that an address was mapped from, by the path that the kernel knows. The path that the loader was given
 * may be relative to a directory that the host has left. A file that has replaced it is recognized by its content,
 * because on an overlay, as in containers, the kernel may name another device for a mapping than for the file. */
static int open_file_of(const void *address) {
  if ((uintptr_t)&__ehdr_start + __ehdr_start.e_entry != (uintptr_t)address) return -1;
  FILE *maps = fopen("/proc/self/maps", "re");
  if (maps == NULL) return -1;
  char line[4096 + 128];
  int fd = -1;
  while (fgets(line, sizeof line, maps) != NULL) {
    uintptr_t begin, end;
    uint64_t offset;
    int path = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %*s %*s %n", &begin, &end, &offset, &path) < 3)
      continue;
    if ((uintptr_t)address < begin || (uintptr_t)address >= end || line[path] != '/') continue;
    line[strcspn(line, "\n")] = 0;
    fd = open(line + path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t size, head = __ehdr_start.e_phoff + (size_t)__ehdr_start.e_phnum * __ehdr_start.e_phentsize;
    const char *code = pages(&size);
    if (fd >= 0 && !(has(fd, (const char *)&__ehdr_start, head, 0) &&
                     has(fd, code, size, (off_t)(offset + ((uintptr_t)code - begin))))) {
      close(fd);
      fd = -1;
    }
    break;
  }
  fclose(maps);
  return fd;
}

/* The head of a program that consists of the supervisor's pages, which follow the head at the next page. */
typedef struct {
  Elf64_Ehdr header;
  Elf64_Phdr segments[2];
} program_head;

size_t fws_program_size(void) {
  size_t size;
  pages(&size);
  return PAGE + size;
}

void fws_program_copy(void *room) {
  size_t size;
  const char *begin = pages(&size);
  const program_head head = {
      .header =
          {
              .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
              .e_type = ET_DYN,
              .e_machine = __ehdr_start.e_machine,
              .e_version = EV_CURRENT,
              .e_entry = PAGE + ((uintptr_t)&fwsv_entry - (uintptr_t)begin),
              .e_phoff = sizeof(Elf64_Ehdr),
              .e_ehsize = sizeof(Elf64_Ehdr),
              .e_phentsize = sizeof(Elf64_Phdr),
              .e_phnum = 2,
          },
      .segments =
          {
              {.p_type = PT_LOAD,
               .p_flags = PF_R | PF_X,
               .p_filesz = PAGE + size,
               .p_memsz = PAGE + size,
               .p_align = PAGE},
              {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W},
          },
  };
  memset(room, 0, PAGE);
  memcpy(room, &head, sizeof head);
  memcpy((char *)room + PAGE, begin, size);
}

static int make_file(void) {
  enum { MAY_EXECUTE = 0x10 }; /* MFD_EXEC, which headers before Linux 6.3 do not have */
  long fd = syscall(SYS_memfd_create, "flowworker-supervisor", MFD_CLOEXEC | MAY_EXECUTE);
  if (fd < 0 && errno == EINVAL) fd = syscall(SYS_memfd_create, "flowworker-supervisor", MFD_CLOEXEC);
  if (fd < 0) return -errno;
  size_t size = fws_program_size();
  void *program = malloc(size);
  if (program != NULL) fws_program_copy(program);
  if (program == NULL || fws_write_file((int)fd, program, size) != (ssize_t)size) {
    int error = errno;
    free(program);
    close((int)fd);
    return -error;
  }
  free(program);
  return fws_above_standard((int)fd);
}

static const char *name_of_call(int call) {
  switch (call) {
    case FWSV_CALL_CLONE: return "clone";
    case FWSV_CALL_FCNTL: return "fcntl";
    case FWSV_CALL_NULL: return "open /dev/null";
    case FWSV_CALL_DUP: return "dup3";
    case FWSV_CALL_HOST: return "pidfd_open";
    case FWSV_CALL_SEND: return "sendmsg";
    case FWSV_CALL_RECEIVE: return "recvmsg";
    case FWSV_CALL_WAIT: return "wait4";
    case FWSV_CALL_CLOCK: return "clock_gettime";
    case FWSV_CALL_MASK: return "rt_sigprocmask";
    default: return "execveat";
  }
}

/* Receives the first message of a supervisor, which proves that the right program runs. Returns 0, or an errno and the
 * call that failed, here or there. */
static int receive_hello(int control, const char **call) {
  enum { MILLISECONDS = 10000 };
  struct pollfd item = {.fd = control, .events = POLLIN};
  int count;
  do {
    count = poll(&item, 1, MILLISECONDS);
  } while (count < 0 && errno == EINTR);
  *call = "poll";
  if (count < 0) return errno;
  fwsv_hello hello;
  ssize_t size = fws_receive(control, &hello, sizeof hello);
  *call = "recv";
  if (size < 0 && errno != 0) return errno;
  *call = "the first message of the supervisor";
  if (size == 0) return ETIMEDOUT;
  if (size != sizeof hello || hello.protocol != FWSV_PROTOCOL) return ENOEXEC;
  *call = name_of_call(hello.call);
  return hello.error;
}

static int start_with(int program, int host, fws_fd *control, const char **call) {
  int ends[2];
  *call = "socketpair";
  int error = fws_socket_pair(ends);
  if (error != 0) return error;
  int cancellation, launch_call;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  error = fwsv_launch(program, ends[1], host, &launch_call);
  pthread_setcancelstate(cancellation, NULL);
  close(ends[1]);
  *call = name_of_call(launch_call);
  if (error == 0) error = receive_hello(ends[0], call);
  if (error == 0) {
    *control = fws_fd_of(ends[0]);
  } else {
    close(ends[0]);
  }
  return error;
}

/* Opens a pidfd of this process. Returns -1 if the system has no pidfds, and the supervisor then learns from the end of
 * its sockets that this process has gone; another negative errno if the call fails. */
static int open_self(const char **call) {
  *call = "pidfd_open";
  int fd = fws_above_standard((int)syscall(SYS_pidfd_open, getpid(), 0));
  if (fd >= 0) return fd;
  return errno == ENOSYS || errno == EPERM ? -1 : -errno;
}

int fws_supervisor_start(fws_fd *control, const char **call) {
  fws_use();
  /* Each supervisor gets a new pidfd, because the host could have put something else under a number that was kept. */
  int host = open_self(call);
  if (host < -1) return -host;
  int error = ENOEXEC;
  int program = fws_above_standard(open_file_of((const void *)&fwsv_entry));
  if (program >= 0) {
    error = start_with(program, host, control, call);
    close(program);
  }
  if (error == EACCES || error == ENOEXEC || error == EPERM || error == ENOENT || error == ESTALE) {
    int first = error;
    const char *first_call = *call;
    program = make_file();
    error = program < 0 ? -program : start_with(program, host, control, call);
    if (program >= 0) {
      close(program);
    } else if (first != ENOEXEC) {
      /* The reason why the library's own file could not be run is closer to the cause. */
      error = first;
      *call = first_call;
    } else {
      *call = "memfd_create";
    }
  }
  if (host >= 0) close(host);
  return error;
}
