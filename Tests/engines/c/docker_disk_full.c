/* If the engine's disk is full, a pull and a container fail with `engine_failed`, while a command whose own write
 * fails ends as it likes. The engine belongs to this program, which fills its file system of 64 MB. */
#include "engine_private.h"

#include <sys/statvfs.h>

static char *host, *filler;

/** Fills the engine's file system except for that many bytes. */
static void leave(unsigned long bytes)
{
    static char zeros[1 << 16];
    struct statvfs room;
    unlink(filler);
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && fstatvfs(fd, &room) == 0);
    unsigned long long all = (unsigned long long)room.f_bavail * room.f_bsize;
    for (unsigned long long done = 0; done + bytes < all; done += sizeof zeros)
        if (write(fd, zeros, sizeof zeros) <= 0)
            break;
    close(fd);
}

static void full(const fw_result *result, const char *part)
{
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    CHECK_MESSAGE(result, "step \"s\", command 1 of 1", "no space left", "full", host, part);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_COMMAND(result, 0, "is_ended", json_true());
}

static void pull(void)
{
    char *large = registry_image("fw-test/large:1");
    docker_logged_in("config", engine_variable("FW_TEST_REGISTRY_USER"), engine_variable("FW_TEST_REGISTRY_PASSWORD"));
    leave(6 << 20);
    fw_result *result = BOX_OF(large, like_json("{'host': '%s'}", host), "true");
    full(result, large);
    fw_result_free(result);
    /* The step is tried again, because the disk may have room the next time. */
    unlink(filler);
    result = BOX_OF(large, like_json("{'host': '%s', 'retries': {'max': 1}}", host), "echo there");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "there\n");
    fw_result_free(result);
    free(large);
}

static void container(const char *kind)
{
    leave(0);
    fw_result *result = BOX(in_container(kind, like_json("{'host': '%s'}", host)), "true");
    full(result, "");
    fw_result_free(result);
    unlink(filler);
    result = BOX(in_container(kind, like_json("{'host': '%s'}", host)), "echo well");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
}

static void command(const char *kind)
{
    leave(2 << 20);
    fw_result *result =
        BOX(in_container(kind, like_json("{'host': '%s'}", host)), "dd if=/dev/zero of=/tmp/much bs=1M count=100");
    CHECK_ENDED(result, FW_EXITED, 1);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "No space left");
    fw_result_free(result);
    unlink(filler);
}

/** "the log driver `none`": what a command prints fills no disk of the engine's. */
static void output(const char *kind)
{
    leave(4 << 20);
    fw_result *result =
        BOX(in_container(kind, like_json("{'host': '%s', 'output_limit': 100}", host)), "/bin/burst 20000000");
    CHECK_EXITED(result, 0);
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), 20000000);
    fw_result_free(result);
    unlink(filler);
}

int main(void)
{
    engine_host();
    host = private_start("docker", "full", "--tmpfs 64m");
    REQUIRE(asprintf(&filler, "%.*s/data/filler", (int)(strrchr(host, '/') - host - 7), host + 7) > 0);
    pull();
    for (int i = 0; i < 2; i++) {
        container(box_kinds[i]);
        command(box_kinds[i]);
        output(box_kinds[i]);
    }
    NOTHING_LEFT(host);
    free(filler);
    free(host);
    return engine_done();
}
