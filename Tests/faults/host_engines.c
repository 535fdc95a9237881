/* The groups of steps on engines: docker, slurm and s3. The peers are those of peers.py, which make no mistake. */
#include "host.h"

#include <stdio.h>

#define IMAGE(commands) "'action':{'environment':'image','commands':[" commands "]}"

void docker(fw_pool *pool)
{
    run(pool, "own", IMAGE("'echo one','echo two'"), NULL, FW_EXITED, "one\ntwo\n");
    run(pool, "own-text", "'stdin':{'text':'typed'}," IMAGE("'cat'"), NULL, FW_EXITED, "typed");
    input(pool, "own-input", IMAGE("'wc -c'"));
    cancel(pool, "own-cancel", IMAGE("'sleep 100'"));
    run(pool, "own-timeout", IMAGE("'sleep 100'"), "{\"timeout\":0.05}", FW_TIMEOUT, NULL);
    run(pool, "in-one", IMAGE("'echo one','echo two'"), NULL, FW_EXITED, "one\ntwo\n");
    input(pool, "in-one-input", IMAGE("'wc -c'"));
    cancel(pool, "in-one-cancel", IMAGE("'sleep 100'"));
}

void docker_after(fw_pool *pool)
{
    run(pool, "after", IMAGE("'echo one'"), NULL, FW_EXITED, "one\n");
}

void slurm(fw_pool *pool)
{
    run(pool, "job", COMMANDS("'echo one; :','cat in.txt'"), NULL, FW_EXITED, "one\ncontent\n");
    run(pool, "job-text", "'stdin':{'text':'typed'}," COMMANDS("['cat']"), NULL, FW_EXITED, "typed");
    input(pool, "job-input", COMMANDS("['wc','-c']"));
    cancel(pool, "job-cancel", COMMANDS("'sleep 100; true'"));
    run(pool, "job-timeout", COMMANDS("'echo a; sleep 100; true'"), "{\"timeout\":0.05}", FW_TIMEOUT, NULL);
}

void slurm_after(fw_pool *pool)
{
    run(pool, "after", COMMANDS("'cat in.txt'"), NULL, FW_EXITED, "content\n");
}

/* --- a workflow on a bucket --------------------------------------------------------------- */

static const char document[] =
    "{\"files\":{\"outputs\":[\"o\"]},\"steps\":["
    "{\"name\":\"copies\",\"files\":{\"inputs\":[\"d/\",\"e\"],\"outputs\":[\"o\",\"p/\"]},\"action\":"
    "{\"environment\":\"\",\"commands\":[\"cat d/x d/s/y e > o\",\"mkdir -p p/q; echo n > p/q/r\"]}},"
    "{\"name\":\"reads\",\"files\":{\"inputs\":[\"p/\"]},\"action\":"
    "{\"environment\":\"\",\"commands\":[\"cat p/q/r\"]}}]}";

static void workflow(fw_pool *pool, const char *name)
{
    char rundir[TEXT];
    fw_error *error = NULL;
    fw_workflow *workflow = NULL;
    fw_exec *exec = NULL;
    fw_result *result = NULL;
    snprintf(rundir, sizeof rundir, "%s/%s", directory, name);
    if (refused(name, fw_workflow_create(document, FW_ZERO_TERMINATED, &workflow, &error), &error))
        return;
    if (!refused(name, fw_workflow_start(workflow, pool, NULL, rundir, NULL, 0, &exec, &error), &error) &&
        !refused(name, fw_exec_wait(exec, SECONDS, &result, &error), &error)) {
        snprintf(rundir, sizeof rundir, "%s/o", name);
        if (result != NULL && fw_result_returncode(result) == 0 && size_of(rundir) != 300012)
            wrong(name, "success, and an output is not whole");
        judge(name, result, FW_EXITED, "n\n");
    }
    fw_exec_free(exec);
    fw_workflow_free(workflow);
}

void s3(fw_pool *pool)
{
    workflow(pool, "s3");
}

void s3_after(fw_pool *pool)
{
    workflow(pool, "after");
}
