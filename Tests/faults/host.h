/* host.h - what the groups of steps have in common (host.c), and the groups of steps on engines (host_engines.c). */
#ifndef HOST_H
#define HOST_H

#include <flowworker.h>
#include <stdbool.h>

/* A result that does not come in this time counts as one that never comes. A message that the kernel refuses each time
 * is sent again for ten seconds. */
enum { SECONDS = 60 };
enum { TEXT = 8192 };

/* The directory of this run. */
extern const char *directory;

#define COMMANDS(commands) "'action':{'environment':'','commands':[" commands "]}"

/** Says that something is wrong with a step. */
void wrong(const char *name, const char *why);

/** Prints why a call failed, and releases the error. Returns whether the call failed. */
bool refused(const char *name, fw_status status, fw_error **error);

/** Judges a result: `outcome` is the right one, and with FW_EXITED `want` is the output. Releases the result. */
void judge(const char *name, fw_result *result, fw_outcome outcome, const char *want);

/** Runs a step with an action, and judges it. ' stands for ". */
void run(fw_pool *pool, const char *name, const char *action, const char *options, fw_outcome outcome,
         const char *want);

/** Runs a step that counts its input, which comes from the host and is more than a pipe holds. */
void input(fw_pool *pool, const char *name, const char *action);

/** Runs a step that does not end by itself, and cancels it when its command has started. */
void cancel(fw_pool *pool, const char *name, const char *action);

/** The size of a file of the run; -1 if it is missing. */
long long size_of(const char *name);

/* The groups, and the step of each that has to succeed once no call fails any more. */
void docker(fw_pool *pool);
void docker_after(fw_pool *pool);
void slurm(fw_pool *pool);
void slurm_after(fw_pool *pool);
void s3(fw_pool *pool);
void s3_after(fw_pool *pool);

#endif
