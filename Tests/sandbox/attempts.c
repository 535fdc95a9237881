/* Harmless attempts of a command at what lies outside of its sandbox. Each says what it met with.
 *
 *   attempts serve WORK           makes what is attempted at, prints one line of facts, and serves until its input ends
 *   attempts try WORK FACTS       makes each attempt, and prints `NAME ERRNO` for it: 0 for "it went through"
 *   attempts control WORK FACTS   the same without a sandbox, where nothing of the host may change
 *   attempts list                 prints the names
 *   attempts owner                ends with status 0 if this program runs as another user than the one that started it
 *
 * WORK is a directory outside of /tmp and /run that belongs to the user. Everything that is attempted belongs to the
 * test itself: files in WORK, listeners, a shared memory segment, a process that sleeps. What is foreign is opened and
 * closed, and never written to. Whoever runs this makes the attempts twice: once without a sandbox, where they have to
 * go through or show nothing on this machine, and once in it. What each has to answer is in the table of a page
 * (docs/reference/sandbox-attempts.md), and bindings/python/tests/steps/test_sandbox_attempts.py compares. */
#include "attempts.h"
#include <arpa/inet.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct facts facts;

static const struct named *const lists[] = {file_attempts, process_attempts, socket_attempts, kernel_attempts};
enum { LISTS = sizeof lists / sizeof *lists };

int open_close(const char *path, int flags)
{
    return closed(open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600));
}

const char *in(const char *directory, const char *name)
{
    static char paths[4][PATH_MAX + NAME_MAX];
    static int at;
    at = (at + 1) % 4;
    snprintf(paths[at], sizeof paths[at], "%s/%s", directory, name);
    return paths[at];
}

int in_child(attempt *body)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static void need(bool is_there, const char *what)
{
    if (is_there)
        return;
    perror(what);
    exit(2);
}

static int listen_at(int family, int type, const void *address, size_t size)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    need(fd >= 0 && bind(fd, address, (socklen_t)size) == 0, "bind");
    need(type != SOCK_STREAM || listen(fd, SOMAXCONN) == 0, "listen");
    return fd;
}

static int listen_at_internet(int type, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = listen_at(AF_INET, type, &address, size);
    getsockname(fd, (void *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

/** A child that ends with this process. */
static pid_t start(void (*body)(int fd), int fd)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* where there is Yama */
    for (;;)
        body(fd);
}

static void sleep_on(int unused)
{
    (void)unused;
    pause();
}

static void answer_a_datagram(int fd)
{
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    char byte;
    if (recvfrom(fd, &byte, 1, 0, (void *)&from, &size) == 1)
        sendto(fd, &byte, 1, 0, (void *)&from, size);
}

static int serve(void)
{
    static volatile char secret = 's';
    char queue[64];
    need(mkdir(facts.run, 0700) == 0 || errno == EEXIST, facts.run);
    need(mkdir(facts.outside, 0700) == 0 || errno == EEXIST, facts.outside);
    int fd = open(in(facts.outside, "file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    need(fd >= 0 && write(fd, "text", 4) == 4, "file");
    close(fd);
    need(open_close(in(facts.outside, "victim"), O_WRONLY | O_CREAT) == 0, "victim");

    listen_at_internet(SOCK_STREAM, &facts.tcp_port);
    int datagrams = listen_at_internet(SOCK_DGRAM, &facts.udp_port);
    struct sockaddr_un file = {.sun_family = AF_UNIX}, abstract = {.sun_family = AF_UNIX};
    need(snprintf(file.sun_path, sizeof file.sun_path, "%s/socket", facts.outside) < (int)sizeof file.sun_path,
         "socket");
    unlink(file.sun_path);
    listen_at(AF_UNIX, SOCK_STREAM, &file, sizeof file);
    int length = snprintf(abstract.sun_path + 1, 60, "attempts-%d", facts.tcp_port);
    listen_at(AF_UNIX, SOCK_STREAM, &abstract, offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);

    facts.segment = shmget(IPC_PRIVATE, 4096, 0600);
    snprintf(queue, sizeof queue, "/attempts-%d", facts.tcp_port);
    mqd_t messages = mq_open(queue, O_RDWR | O_CREAT | O_CLOEXEC, 0600, NULL);
    struct stat pids;
    need(stat("/proc/self/ns/pid", &pids) == 0, "/proc/self/ns/pid");
    facts.sleeper = start(sleep_on, 0);
    pid_t echo = start(answer_a_datagram, datagrams);
    printf("%d,%d,%d,%d,%lu,%lu\n", facts.sleeper, facts.tcp_port, facts.udp_port, facts.segment,
           (unsigned long)&secret, (unsigned long)pids.st_ino);
    fflush(stdout);

    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    kill(facts.sleeper, SIGKILL);
    kill(echo, SIGKILL);
    shmctl(facts.segment, IPC_RMID, NULL);
    if (messages != (mqd_t)-1)
        mq_unlink(queue);
    return 0;
}

static int try_all(void)
{
    need(chdir(facts.run) == 0, facts.run);
    for (int list = 0; list < LISTS; list++) {
        for (const struct named *one = lists[list]; one->name != NULL; one++) {
            int answer = one->run();
            printf("%s %d\n", one->name, answer);
            fflush(stdout);
        }
    }
    return 0;
}

int main(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "list") == 0) {
        for (int list = 0; list < LISTS; list++) {
            for (const struct named *one = lists[list]; one->name != NULL; one++)
                puts(one->name);
        }
        return 0;
    }
    if (count == 2 && strcmp(words[1], "owner") == 0)
        return geteuid() == getuid();
    if (count < 3)
        return 2;
    snprintf(facts.run, sizeof facts.run, "%s/run", words[2]);
    snprintf(facts.outside, sizeof facts.outside, "%s/outside", words[2]);
    if (strcmp(words[1], "serve") == 0)
        return serve();
    if (count < 4 || sscanf(words[3], "%d,%d,%d,%d,%lu,%lu", &facts.sleeper, &facts.tcp_port, &facts.udp_port,
                            &facts.segment, &facts.secret, &facts.pid_set) != 6)
        return 2;
    facts.is_control = strcmp(words[1], "control") == 0;
    return try_all();
}
