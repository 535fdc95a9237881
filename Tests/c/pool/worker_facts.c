/* A worker reports the name, the type and the volume of its specification, and which values of the context it needs. */
#include "check.h"

int main(void)
{
    const char *types[] = {"code", "subprocess", "docker", "notebook", "nbdocker", "slurm"};
    for (int i = 0; i < 6; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"type\": \"%s\", \"name\": \"\xC3\xA9 / %d\"%s}", types[i], i,
                 i % 2 ? ", \"volume\": \"\xC3\xA9 store\"" : "");
        fw_worker *worker = check_worker(text);
        snprintf(text, sizeof text, "\xC3\xA9 / %d", i);
        CHECK_STR(fw_worker_name(worker), text);
        CHECK_STR(fw_worker_type(worker), types[i]);
        CHECK_STR(fw_worker_secrets(worker), "[]");
        CHECK_STR(fw_worker_environment_values(worker), "[]");
        CHECK_STR(fw_worker_volume(worker), i % 2 ? "\xC3\xA9 store" : "__default__");
        const char *forever = fw_worker_type(worker);
        fw_worker_free(worker);
        CHECK_STR(forever, types[i]);
    }
    fw_worker *worker = check_worker("{\"name\": \"w\", \"type\": \"subprocess\", \"options\":"
                                     " {\"environment_values\": {\"b\": \"B\", \"\xC3\xA9\": \"A\"}}}");
    CHECK_STR(fw_worker_environment_values(worker), "[\"b\",\"\xC3\xA9\"]");
    fw_worker_free(worker);
    return check_done();
}
