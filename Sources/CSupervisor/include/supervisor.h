/*
 * The supervisor is the program that starts, watches and ends the commands of this library.
 *
 *   host ──control──▶ supervisor          one per kind of host thread, started at first use
 *     ╰────channel──▶ monitor         one per command in flight; kept for the next one
 *                       ╰─▶ command   its processes
 *
 * The program is the library file itself. Its entry point is fwsv_entry, and the code behind it makes nothing but
 * system calls, so that it needs no loader, no C library and less than 200 KiB of memory. The host tells a monitor what
 * to run by a message on a channel, which carries the descriptors that the command gets. The monitor answers how the
 * command ended.
 *
 * Commands have a parent process of their own. It costs some time where steps run one after another, and nothing
 * measurable where many run at once (docs/internals/decisions compares the ways to start a command). In return:
 *   - A monitor is the subreaper of one command. Whatever processes of the command leave behind comes to the monitor,
 *     so that one system call that says ECHILD proves that nothing is left.
 *   - When the host dies, even by SIGKILL, the channel ends, and the monitor ends the command.
 *   - Only the monitor can take a command's exit status. The host gets no SIGCHLD, and no child that it did not start.
 *   - Dispositions, mask and memory are those of the supervisor. A command costs the same in a host of 8 GB, and its
 *     peak memory is its own.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <stdint.h>

/* The number changes with any change of the messages. A supervisor sends it in its first message. */
enum { FWSV_PROTOCOL = 11 };

/* Descriptors of a supervisor when it starts. Where the system has no pidfds there is no FWSV_HOST, and the end of the
 * sockets tells that the host has gone. */
enum { FWSV_CONTROL = 3, FWSV_HOST = 4 };

/* --- host to monitor -------------------------------------------------------------- */

enum {
  FWSV_RUN = 1, /* start a command */
  FWSV_STOP =
      2, /* end it: TERM, the grace, KILL; between two commands: forget the run directory and the cleanup request */
  FWSV_CLEANUP = 3,     /* while no command runs: what to send to a server when the host has gone */
  FWSV_LIMIT = 4,       /* while a command runs: its timeout and grace, from now on */
  FWSV_SIGNAL_MAIN = 5, /* while a command runs: send a signal to its main process */
  FWSV_SIGNAL_TREE = 6, /* while a command runs: send a signal to all its processes */
  FWSV_END_INPUT = 7,   /* while a command runs: close FWSV_FD_IN_END */
};

/* What happens to processes that a command leaves. */
enum { FWSV_KILL = 0, FWSV_WAIT = 1, FWSV_LEAVE = 2 };

/* Control groups in which the monitor makes one of its own for the command: one of version 2, and one of version 1 for
 * each limit of the tree that version 2 does not keep here. */
enum { FWSV_GROUPS = 4 };

/* The descriptors that come with FWSV_RUN, in this order. All but the first two come if the request says so. */
enum {
  FWSV_FD_OUT,
  FWSV_FD_ERR,
  FWSV_FD_RUNDIR,
  FWSV_FD_TEXTS,
  FWSV_FD_IN,
  FWSV_FD_IN_END,
  FWSV_FD_GROUP,
  FWSV_FDS = FWSV_FD_GROUP + FWSV_GROUPS
};

/* Resource limits, in the order of fwsv_request.limits. */
enum { FWSV_LIMIT_CPU, FWSV_LIMIT_MEMORY, FWSV_LIMIT_FILES, FWSV_LIMIT_FILE_SIZE, FWSV_LIMIT_PROCESSES, FWSV_LIMITS };
#define FWSV_NO_LIMIT UINT64_MAX

/* Limits of all processes of the command together, in the order of fwsv_request.tree_limits: bytes; microseconds of
 * processor time in each FWSV_PERIOD; a number. */
enum { FWSV_TREE_MEMORY, FWSV_TREE_CPUS, FWSV_TREE_PROCESSES, FWSV_TREE_LIMITS };
enum { FWSV_PERIOD = 100000 /* microseconds */ };

/* Whether the command has such limits, and whether it is started without those that cannot be kept. */
enum { FWSV_NO_TREE, FWSV_TREE_OPTIONAL, FWSV_TREE_REQUIRED };

/* What keeps a limit of the tree. */
enum { FWSV_KEPT_BY_NOTHING, FWSV_KEPT_BY_GROUP1, FWSV_KEPT_BY_GROUP2, FWSV_KEPT_BY_RLIMIT };

typedef struct {
  int32_t fd;       /* of the directory, as the host knows it; the monitor has its own */
  uint32_t version; /* 1 or 2 */
  uint32_t limits;  /* a bit for each limit of the tree that a group in it keeps. A group of version 2 without any is of
                     * use as well: it counts time, and its processes can be ended together */
} fwsv_group;

typedef struct {
  uint32_t kind;
  uint32_t background;
  uint32_t tell_start;       /* whether FWSV_STARTED is wanted */
  uint32_t slots;            /* of the table at the beginning of the texts */
  uint32_t has_rundir;       /* the run directory comes with this request, and not with one before */
  uint32_t has_file;         /* the texts are in a file */
  uint32_t keep_rundir;      /* the run directory stays open for the next request */
  uint32_t has_input;        /* the standard input comes with this request, and is not /dev/null */
  uint32_t has_input_end;    /* its writing end comes as well: the monitor keeps it, so that the end of the host is not
                              * taken for the end of the input */
  uint32_t is_link;          /* the descriptor of the standard output is the standard input as well */
  uint32_t is_direct;        /* the texts begin with the paths that are tried before the program */
  uint32_t address;          /* bytes of FWSV_CLEANUP's address */
  uint32_t signal;           /* of FWSV_SIGNAL_MAIN and FWSV_SIGNAL_TREE */
  uint32_t sandbox;          /* where the texts have a fwsv_sandbox, in bytes from their beginning; 0: they have none */
  uint64_t size;             /* of the texts, which follow in the message or are in the file */
  int64_t timeout;           /* nanoseconds; negative for none */
  int64_t grace;             /* nanoseconds */
  int64_t host_gone_timeout; /* nanoseconds that the command has to end by itself when the host has gone */
  uint64_t limits[FWSV_LIMITS];
  uint32_t tree; /* FWSV_NO_TREE: the rest counts for nothing */
  uint32_t groups;
  uint64_t tree_limits[FWSV_TREE_LIMITS];
  fwsv_group group[FWSV_GROUPS];
} fwsv_request;

/* The texts of FWSV_RUN are a table of 64-bit offsets from the table's beginning, and then the strings, each with a
 * NUL. The table has the program's path, the arguments, 0, the environment, 0.
 *
 * With is_direct the program is a shell, and the table begins with the paths where the command's own program may be, 0,
 * its arguments, 0. The first path that can be executed is executed, as the shell would do it. If none can be, the
 * shell is started, which handles every other case and reports every error in its own words. Neither program leads its
 * session or its process group then, just like a program that a shell starts; setsid(1) and the like depend on that. */

/* The layers of a sandbox: what the kernel offers to keep what a document promises. */
enum {
  FWSV_LAYER_VIEW = 1,      /* a mount namespace: everything is read-only but the run directory and the `writes` */
  FWSV_LAYER_PROCESSES = 2, /* a pid and an ipc namespace, with a process 1 of ours */
  FWSV_LAYER_NETWORK = 4,   /* a network namespace with a loopback and nothing else */
  FWSV_LAYER_TMP = 8,       /* /tmp and /var/tmp of its own, which are in the view */
  FWSV_LAYER_LANDLOCK = 16,
  FWSV_LAYER_FILTER = 32, /* a seccomp filter */
  FWSV_LAYER_USER = 64,   /* a user namespace, where the others need one; told, and not asked for */
  FWSV_OPEN_INPUT = 128,  /* told, and no layer: the command may write to the file of its standard input */
  FWSV_LAYER_NAMESPACES = FWSV_LAYER_VIEW | FWSV_LAYER_PROCESSES | FWSV_LAYER_NETWORK | FWSV_LAYER_TMP,
};

/* Which of its filters a sandbox uses depends on which other layers hold. */
enum {
  FWSV_FILTER_NAMESPACES, /* beside namespaces */
  FWSV_FILTER_LANDLOCK,   /* beside Landlock alone */
  FWSV_FILTER_ALONE,
  FWSV_FILTERS
};

#define FWSV_READ_ALL UINT32_MAX

/* A sandbox is the last part of the texts, at a multiple of 8 bytes, and ends where they end. All its places are in
 * bytes from its own beginning, so that the host makes it once and copies it behind the strings of each request. Its
 * last byte is a NUL. The order of its parts is: this struct, the filters, the places of the paths, the ports, the
 * paths' strings. */
typedef struct {
  uint32_t needed;      /* the layers without which the command is not started */
  uint32_t wanted;      /* the layers that it gets where they are to be had, with those that are needed */
  uint32_t is_optional; /* it is started without what cannot be had */
  uint32_t landlock;    /* the least version of Landlock that is needed, where Landlock is; else 0 */
  uint32_t paths;       /* where the places of the paths' strings are, as 32-bit numbers: writes, then reads */
  uint32_t writes;
  uint32_t reads;          /* FWSV_READ_ALL: everything may be read, and there are no places of reads */
  uint32_t optional_reads; /* so many of the reads, the last ones, need not exist */
  uint32_t has_ports;
  uint32_t ports; /* where the ports are, as 16-bit numbers, which TCP may connect to */
  uint32_t port_count;
  uint32_t filters[FWSV_FILTERS]; /* where the instructions are, as struct sock_filter, at multiples of 8 bytes */
  uint32_t lengths[FWSV_FILTERS]; /* in instructions */
} fwsv_sandbox;

/* A signal that the host sends is no end of the command: FWSV_ENDED tells of it only as the status of a main process
 * that it has ended. The message comes too late for a command that has ended, and then it does nothing. */

/* The texts of FWSV_CLEANUP are the server's address, as connect(2) takes it, and the bytes to send. The connection is
 * made when it is needed, because servers close a silent one. */

/* Texts up to this size are in the message, and larger ones in a memory file. A cleanup request is always in the
 * message. */
enum { FWSV_INLINE = 32 * 1024 };

/* --- monitor to host -------------------------------------------------------------- */

enum {
  FWSV_STARTED = 1,
  FWSV_FAILED = 2, /* the command could not be started */
  FWSV_ENDED = 3,
};

/* Where a start failed. */
enum {
  FWSV_AT_REQUEST = 1, /* the request is invalid */
  FWSV_AT_CLONE = 2,   /* the clone of the command, or of its monitor */
  FWSV_AT_STREAMS = 3,
  FWSV_AT_CHDIR = 4,
  FWSV_AT_LIMIT = 5,
  FWSV_AT_EXEC = 6,
  FWSV_AT_SIGNALS = 7, /* signalfd4: the monitor could not see the command's end */
  FWSV_AT_RECEIVE = 8, /* recvmsg: the descriptors of the command did not arrive */
  FWSV_AT_TEXTS = 9,   /* mmap of the texts */
  FWSV_AT_SOCKET = 10, /* socketpair, to a monitor */

  /* The set-up of a sandbox. Nothing of the command has run. */
  FWSV_AT_NAMESPACES = 11,   /* clone with namespaces */
  FWSV_AT_MAPS = 12,         /* uid_map, gid_map, setgroups */
  FWSV_AT_VIEW = 13,         /* making the tree private and read-only */
  FWSV_AT_PROC = 14,         /* an own /proc */
  FWSV_AT_DEVICES = 15,      /* an own /dev */
  FWSV_AT_COVER = 16,        /* an own /tmp, /var/tmp and /run */
  FWSV_AT_PATH = 17,         /* a path of the document, or the run directory: `path` says which */
  FWSV_AT_LOOPBACK = 18,     /* bringing up the loopback of the network namespace */
  FWSV_AT_RULESET = 19,      /* landlock_create_ruleset; EOPNOTSUPP with a version in `landlock`: it is too old */
  FWSV_AT_RULE = 20,         /* landlock_add_rule, where no path of the document is the reason */
  FWSV_AT_PRIVILEGES = 21,   /* no_new_privs */
  FWSV_AT_LANDLOCK = 22,     /* landlock_restrict_self */
  FWSV_AT_CAPABILITIES = 23, /* giving up capabilities */
  FWSV_AT_FILTER = 24,       /* seccomp */

  /* A limit of the tree, which `limit` names. EOPNOTSUPP: no control group for it came with the request. */
  FWSV_AT_GROUP = 25,
};

/* The values of `path` in a reply: an index of the sandbox's paths, writes first, or one of these. */
enum { FWSV_PATH_NONE = -1, FWSV_PATH_RUNDIR = -2 };

/* Why a command was ended. */
enum { FWSV_BY_ITSELF = 0, FWSV_BY_TIMEOUT = 1, FWSV_BY_STOP = 2 };

/* A process other than the main one that a command left, or that was ended with it. */
typedef struct {
  int32_t pid;
  int32_t signal; /* the last signal that was sent successfully; 0 if there was none */
  char name[16];
} fwsv_process;

enum { FWSV_SHOWN = 32 };

typedef struct {
  uint32_t kind;
  int32_t pid;
  int32_t stage;  /* of FWSV_FAILED */
  int32_t limit;  /* the limit that was refused, at FWSV_AT_LIMIT and FWSV_AT_GROUP */
  int32_t error;  /* errno */
  int32_t status; /* of the main process, as wait(2) has it */
  uint32_t reason;
  int32_t main_signal; /* the last signal that was sent to the main process; 0 if there was none */
  uint32_t is_direct;  /* the main process is the command's own program, not a shell */
  uint32_t is_blind;   /* /proc could not be read: only the process group was signalled */
  uint32_t is_unsure;  /* orphans do not come to the monitor, which does not know of processes outside of the session */
  uint32_t is_last;    /* the monitor takes no further request */
  uint32_t is_cut;     /* of an agent: a bit for each stream (1, 2) whose output could not be read to its end */
  uint32_t left;       /* processes that could not be ended, or were left alone */
  uint32_t others;     /* how many processes there were beside the main one */
  uint32_t layers;     /* the layers of the sandbox that hold */
  uint32_t landlock;   /* the version of Landlock of this system; 0 if it has none, or was not asked for it */
  int32_t path;        /* at FWSV_AT_PATH and FWSV_AT_RULE */
  uint32_t is_lost;    /* process 1 of the sandbox was killed, so nobody knows how the main process ended */
  uint32_t is_oom;     /* the kernel has killed a process of the command because memory ran out */
  uint32_t kept[FWSV_TREE_LIMITS]; /* what keeps each limit of the tree */
  int32_t group_error;             /* errno: a control group of the command could not be removed */
  uint32_t has_tree;               /* whether the next two are known, which namespaces and control groups tell */
  int64_t tree_user;               /* microseconds of processor time of all its processes */
  int64_t tree_system;
  int64_t tree_peak; /* bytes that all its processes had together at most; 0 if it is not known */
  int64_t started;   /* nanoseconds since 1970 */
  int64_t duration;  /* nanoseconds, to the end of the main process */
  int64_t user;      /* microseconds of processor time, with its own children */
  int64_t system;
  int64_t peak; /* bytes: the largest of its processes */
  fwsv_process processes[FWSV_SHOWN];
} fwsv_reply;

/* The first message of a supervisor, on the control socket. A supervisor with an error ends. */
typedef struct {
  uint32_t protocol;
  int32_t error; /* 0 if the supervisor works */
  int32_t call;  /* which call failed with the error */
} fwsv_hello;

/* --- for the library -------------------------------------------------------------- */

/* The entry point of the program, which nothing calls. */
__attribute__((visibility("hidden"))) void fwsv_entry(void);

/* Which call failed, of fwsv_launch or of a supervisor at its start. */
enum {
  FWSV_CALL_CLONE = 1,
  FWSV_CALL_FCNTL,
  FWSV_CALL_NULL, /* openat of /dev/null */
  FWSV_CALL_DUP,
  FWSV_CALL_EXEC,
  FWSV_CALL_HOST, /* the check of FWSV_HOST */
  FWSV_CALL_SEND,
  FWSV_CALL_RECEIVE,
  FWSV_CALL_WAIT,
  FWSV_CALL_CLOCK,
  FWSV_CALL_MASK,
};

/* Runs a program as a supervisor that is no child of this process. Takes descriptors of the program, of the
 * supervisor's end of the control socket, and a pidfd of this process or -1. Returns 0, or an errno and the call that
 * failed. */
__attribute__((visibility("hidden"))) int fwsv_launch(int program, int control, int host, int *call);

/* The bounds of the program's code and constants in memory, from where the program can be copied. */
extern const char __attribute__((visibility("hidden"))) __start_fw_supervisor[], __stop_fw_supervisor[];

#endif
