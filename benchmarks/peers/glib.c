/* The peer GLib: GSubprocess, whose communicate call keeps both streams. */
#include "peer.h"

#include <gio/gio.h>

static GMainLoop *loop;
static size_t running;

static void start(void);

static void on_end(GObject *object, GAsyncResult *result, gpointer data)
{
    GSubprocess *process = G_SUBPROCESS(object);
    GBytes *out = NULL, *err = NULL;
    (void)data;
    need(g_subprocess_communicate_finish(process, result, &out, &err, NULL) && g_subprocess_get_successful(process),
         command);
    g_bytes_unref(out);
    g_bytes_unref(err);
    g_object_unref(process);
    running--;
    if (one_more())
        start();
    else if (running == 0)
        g_main_loop_quit(loop);
}

static void start(void)
{
    GSubprocess *process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, NULL,
                                            "/bin/sh", "-c", command, NULL);
    need(process != NULL, "g_subprocess_new");
    running++;
    g_subprocess_communicate_async(process, NULL, NULL, on_end, NULL);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    loop = g_main_loop_new(NULL, FALSE);
    for (size_t i = 0; i < width && one_more(); i++)
        start();
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    return end();
}
