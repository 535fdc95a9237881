/*
 * host_library.h - the library, loaded with dlopen(3) while the host runs, with the calls that a step needs. A program
 * that uses this header calls no function of the library by its name, so that the library is not loaded at its start.
 */
#ifndef HOST_LIBRARY_H
#define HOST_LIBRARY_H

#include "check.h"

#include <dlfcn.h>

struct library {
    void *handle;
    fw_status (*worker_create)(const char *, size_t, fw_worker **, fw_error **);
    fw_status (*step_create)(const char *, size_t, fw_step **, fw_error **);
    fw_status (*start)(const fw_worker *, const fw_step *, fw_context *, const char *, const char *, size_t, fw_exec **,
                       fw_error **);
    fw_status (*wait)(fw_exec *, double, fw_result **, fw_error **);
    fw_outcome (*outcome)(const fw_result *);
    int32_t (*returncode)(const fw_result *);
    const char *(*message)(const fw_result *);
    const char *(*output)(const fw_result *, fw_stream, size_t, size_t *);
    void (*result_free)(fw_result *);
    void (*exec_free)(fw_exec *);
    void (*step_free)(fw_step *);
    void (*worker_free)(fw_worker *);
};

/** Loads the library from a file. */
static inline struct library library_load(const char *path)
{
    struct library all = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (all.handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(all.handle != NULL);
    const struct {
        void *place;
        const char *name;
    } calls[] = {
        {&all.worker_create, "fw_worker_create"},
        {&all.step_create, "fw_step_create"},
        {&all.start, "fw_exec_start"},
        {&all.wait, "fw_exec_wait"},
        {&all.outcome, "fw_result_outcome"},
        {&all.returncode, "fw_result_returncode"},
        {&all.message, "fw_result_message"},
        {&all.output, "fw_result_output"},
        {&all.result_free, "fw_result_free"},
        {&all.exec_free, "fw_exec_free"},
        {&all.step_free, "fw_step_free"},
        {&all.worker_free, "fw_worker_free"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        void *call = dlsym(all.handle, calls[i].name);
        REQUIRE(call != NULL);
        memcpy(calls[i].place, &call, sizeof call);
    }
    return all;
}

/** Starts a step with one command, which is put into JSON as it is. */
static inline fw_exec *library_start(const struct library *all, const char *command, const char *rundir)
{
    fw_worker *worker = NULL;
    fw_step *step = NULL;
    fw_exec *exec = NULL;
    char json[1000];
    snprintf(json, sizeof json, "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"%s\"]}}",
             command);
    REQUIRE(all->worker_create("{\"name\": \"w\", \"type\": \"subprocess\"}", FW_ZERO_TERMINATED, &worker, NULL) ==
            FW_OK);
    REQUIRE(all->step_create(json, FW_ZERO_TERMINATED, &step, NULL) == FW_OK);
    CHECK_INT(all->start(worker, step, NULL, rundir, NULL, 0, &exec, NULL), FW_OK);
    REQUIRE(exec != NULL);
    all->step_free(step);
    all->worker_free(worker);
    return exec;
}

/** Runs a command that ends with status 0 and writes a line. */
static inline bool library_check(const struct library *all, const char *command, const char *rundir, const char *want)
{
    fw_exec *exec = library_start(all, command, rundir);
    fw_result *result = NULL;
    CHECK_INT(all->wait(exec, -1, &result, NULL), FW_OK);
    REQUIRE(result != NULL);
    bool good = CHECK_INT(all->outcome(result), FW_EXITED);
    good &= CHECK_INT(all->returncode(result), 0);
    good &= CHECK_STR(all->output(result, FW_STDOUT, 0, NULL), want);
    if (!good)
        fprintf(stderr, "    %s\n", all->message(result) ? all->message(result) : "(no message)");
    all->result_free(result);
    all->exec_free(exec);
    return good;
}

#endif
