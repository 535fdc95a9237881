/* Attempts at listeners outside of the sandbox, by each protocol. */
#include "attempts.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* --- between processes --------------------------------------------------------------- */

static int connect_unix(const char *name, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (size > sizeof address.sun_path)
        return ENAMETOOLONG;
    memcpy(address.sun_path, name, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    size += offsetof(struct sockaddr_un, sun_path);
    int answer = told(connect(fd, (void *)&address, (socklen_t)size));
    close(fd);
    return answer;
}

static int socket_file(void)
{
    const char *path = in(facts.outside, "socket");
    return connect_unix(path, strlen(path) + 1);
}

static int socket_abstract(void)
{
    char name[64] = "";
    int size = snprintf(name + 1, sizeof name - 1, "attempts-%d", facts.tcp_port);
    return connect_unix(name, (size_t)size + 1);
}

static int socketpair_own(void)
{
    int both[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, both) < 0)
        return errno;
    close(both[0]);
    close(both[1]);
    return 0;
}

/** One of the two could send to a socket of the host. */
static int datagram_pair(void)
{
    int both[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, both) < 0)
        return errno;
    close(both[0]);
    close(both[1]);
    return 0;
}

/* --- networks ------------------------------------------------------------------------ */

static int connect_stream(int protocol)
{
    struct sockaddr_in address = loopback(facts.tcp_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return errno;
    int answer = told(connect(fd, (void *)&address, sizeof address));
    close(fd);
    return answer;
}

static int tcp(void)
{
    return connect_stream(0);
}

static int mptcp(void)
{
    return connect_stream(262 /* IPPROTO_MPTCP */);
}

/** A message that opens its connection itself. */
static int fast_open(void)
{
    struct sockaddr_in address = loopback(facts.tcp_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int answer = told(sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&address, sizeof address));
    close(fd);
    return answer;
}

/** The arrival counts: a network of one's own has a loopback of its own, and nobody at the port. */
static int udp(void)
{
    struct sockaddr_in address = loopback(facts.udp_port);
    struct timeval second = {1, 0};
    char byte;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    int answer = told(connect(fd, (void *)&address, sizeof address));
    if (answer == 0)
        answer = told(send(fd, "x", 1, 0));
    if (answer == 0)
        answer = told(recv(fd, &byte, 1, 0));
    close(fd);
    return answer;
}

/** An address for documents (RFC 5737), which nobody has, and to which nothing is sent: where there is no network,
 * there is no way to it. */
static int far_away(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0xC0000201)}};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int answer = told(connect(fd, (void *)&address, sizeof address));
    close(fd);
    return answer;
}

/** What stays, in a network of one's own: a server and its client. */
static int own_server(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0)
        return errno;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool serves = bind(server, (void *)&address, size) == 0 && listen(server, 1) == 0 &&
                  getsockname(server, (void *)&address, &size) == 0;
    int answer = serves && client >= 0 ? told(connect(client, (void *)&address, size)) : errno;
    close(server);
    close(client);
    return answer;
}

static int make(int family, int type, int protocol)
{
    return closed(socket(family, type | SOCK_CLOEXEC, protocol));
}

static int raw_socket(void)
{
    return make(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int packet_socket(void)
{
    return make(AF_PACKET, SOCK_RAW, 0);
}

static int vsock(void)
{
    return make(AF_VSOCK, SOCK_STREAM, 0);
}

static int crypto_socket(void)
{
    return make(AF_ALG, SOCK_SEQPACKET, 0);
}

/** Tells the loopback to be up, as it is. */
static int netlink_change(void)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg what;
    } request = {
        .head = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .what = {.ifi_family = AF_UNSPEC, .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
    };
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[256];
    } reply;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return errno;
    int answer = told(send(fd, &request, sizeof request, 0));
    if (answer == 0)
        answer = told(recv(fd, &reply, sizeof reply, 0));
    if (answer == 0 && reply.head.nlmsg_type == NLMSG_ERROR)
        answer = -reply.error.error;
    close(fd);
    return answer;
}

const struct named socket_attempts[] = {
    {"socket_file", socket_file},
    {"socket_abstract", socket_abstract},
    {"socketpair", socketpair_own},
    {"datagram_pair", datagram_pair},
    {"tcp", tcp},
    {"fast_open", fast_open},
    {"mptcp", mptcp},
    {"udp", udp},
    {"far_away", far_away},
    {"own_server", own_server},
    {"raw_socket", raw_socket},
    {"packet_socket", packet_socket},
    {"vsock", vsock},
    {"crypto_socket", crypto_socket},
    {"netlink_change", netlink_change},
    {NULL, NULL},
};
