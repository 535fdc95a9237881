/* The peer libuv: uv_spawn, two pipes, one loop. */
#include "peer.h"

#include <string.h>
#include <uv.h>

struct stream {
    uv_pipe_t pipe;
    char *bytes;
    size_t length, capacity;
};

struct step {
    uv_process_t process;
    struct stream streams[2];
    int open;
};

static void start(struct step *step);

static void on_close(uv_handle_t *handle)
{
    struct step *step = handle->data;
    if (--step->open > 0)
        return;
    for (int i = 0; i < 2; i++)
        free(step->streams[i].bytes);
    if (one_more())
        start(step);
}

static void on_end(uv_process_t *process, int64_t status, int signal)
{
    need(status == 0 && signal == 0, command);
    uv_close((uv_handle_t *)process, on_close);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct stream *stream = (struct stream *)handle;
    if (stream->capacity - stream->length < suggested) {
        stream->capacity = stream->capacity != 0 ? stream->capacity * 2 : suggested * 2;
        stream->bytes = realloc(stream->bytes, stream->capacity);
        need(stream->bytes != NULL, "realloc");
    }
    *buffer = uv_buf_init(stream->bytes + stream->length, (unsigned)suggested);
}

static void on_read(uv_stream_t *pipe, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    if (count > 0)
        ((struct stream *)pipe)->length += (size_t)count;
    if (count < 0)
        uv_close((uv_handle_t *)pipe, on_close);
}

static void start(struct step *step)
{
    uv_stdio_container_t ends[3] = {{.flags = UV_IGNORE}};
    char *arguments[] = {"sh", "-c", (char *)command, NULL};
    memset(step, 0, sizeof *step);
    step->open = 3;
    step->process.data = step;
    for (int i = 0; i < 2; i++) {
        uv_pipe_init(uv_default_loop(), &step->streams[i].pipe, 0);
        step->streams[i].pipe.data = step;
        ends[i + 1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
        ends[i + 1].data.stream = (uv_stream_t *)&step->streams[i].pipe;
    }
    uv_process_options_t options = {
        .exit_cb = on_end, .file = "/bin/sh", .args = arguments, .stdio_count = 3, .stdio = ends};
    need(uv_spawn(uv_default_loop(), &step->process, &options) == 0, "uv_spawn");
    for (int i = 0; i < 2; i++)
        uv_read_start((uv_stream_t *)&step->streams[i].pipe, give_room, on_read);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct step *steps = calloc(width, sizeof *steps);
    need(steps != NULL, "calloc");
    for (size_t i = 0; i < width && one_more(); i++)
        start(&steps[i]);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    free(steps);
    return end();
}
