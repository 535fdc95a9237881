/*
 * flowworker.h - run workflow steps from inside any program.
 *
 * libflowworker is the worker layer of a workflow system as a library. A host
 * gives it a pool of workers as JSON, asks it for the worker of a step, runs the
 * step, and reads what happened:
 *
 *     fw_pool *pool;  fw_step *step;  const fw_worker *worker;  fw_result *result;
 *
 *     fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, NULL);
 *     fw_step_create("{\"name\": \"hello\", \"action\": {\"environment\": \"\","
 *                    " \"commands\": [\"echo Hello $who\"]}}", FW_ZERO_TERMINATED, &step, NULL);
 *     fw_pool_get(pool, step, &worker, NULL);
 *     fw_worker_exec(worker, step, NULL, "/tmp", &result, NULL);
 *     puts(fw_result_output(result, FW_STDOUT, 0, NULL));
 *
 * (Real code looks at each status; README.md has such a program.) A host that has
 * something else to do meanwhile starts the step and looks at a descriptor:
 *
 *     fw_exec_start(worker, step, NULL, "/tmp", NULL, &exec, NULL);
 *     ... poll(2), epoll, GLib, libuv, asyncio on fw_exec_fd(exec) ...
 *     fw_exec_next_event(exec, 0, &event, NULL);
 *
 * Steps one after the other, with files that move between storage volumes, are a workflow:
 *
 *     fw_workflow_create("{\"steps\": [...]}", FW_ZERO_TERMINATED, &workflow, NULL);
 *     fw_workflow_run(workflow, pool, context, "/tmp/run", NULL, &result, NULL);
 *
 * OWNERSHIP. Three words, and no others:
 *   borrowed             the library reads it during the call only, or lends it to
 *                        the caller for as long as the description says;
 *   owned by the caller  to be released by the caller, with the `_free` function
 *                        of its type (text: fw_string_free);
 *   copied               the library keeps a copy and does not need the original.
 * What the caller must release arrives through an out-parameter. What is returned
 * directly is borrowed. Every `_free` function takes NULL and does nothing then.
 * Handles keep alive what they need: the order of freeing does not matter, except
 * that a lent fw_worker ends with its pool.
 *
 * ERRORS. Every call that can fail returns an fw_status, FW_OK or a negative
 * number. Outputs follow the inputs; the last parameter is an `fw_error **`, which
 * may be NULL. On failure every other output is set to NULL and `*error` to an
 * error owned by the caller; on success `*error` is set to NULL. A NULL argument
 * where a value is needed is FW_E_INVALID, never a crash.
 * Three outcomes have three places:
 *   - misuse, or a document that cannot be used: a status and an error, no result;
 *   - a step that ran and failed, or a command that could not be started: FW_OK,
 *     and a result that says so;
 *   - success: FW_OK, and a result whose returncode is 0.
 *
 * TEXT is UTF-8, and names are the same if their bytes are. JSON documents are passed with their length in bytes, or with
 * FW_ZERO_TERMINATED when they end with a NUL. Names and paths end with a NUL. What a
 * command writes is bytes: it has a length, it need not be text, and it may hold
 * NULs.
 *
 * THREADS. Any thread may call any function at any time, with any handle, except
 * that a handle that is being freed is in no other call. fw_pool_get takes no lock
 * once the worker exists. The library has no threads of its own: a step that was
 * started goes on to its next command when somebody waits for it or takes its events.
 *
 * PROCESSES. Commands are started, watched and ended by a small helper process, the
 * supervisor, which the library starts with the first step. It is the library's own file,
 * run as a program, and no child of the host. Beside it there is one monitor process
 * of a few pages for each command that runs, and some that wait for the next one.
 * A command gets a session of its own, standard input from /dev/null, default signal
 * dispositions, an empty signal mask and no other descriptor of the host; its user,
 * group, limits, umask, priority, processors, control group, root and namespaces are those
 * of the thread that starts the step. (Not followed, when the host changes them after its
 * first step: the IPC namespace, the host name's namespace as long as the name is the
 * same, security label, keyrings, timer slack, I/O priority, oom_score_adj.) When the
 * host ends, however it does, the supervisor ends all commands and itself; a host that runs
 * another program by exec counts as ended unless a process that it has forked still
 * holds its descriptors.
 *
 * ENDING. A command is over when its main process has ended; what that process left
 * running is ended too, unless the worker's option `background` says otherwise. A
 * timeout, fw_exec_cancel() and the end of the host reach every process of a command,
 * also those that have moved to a session of their own: TERM, then `grace` seconds
 * later KILL, until none is left. A result comes after that, never before.
 *
 * PROCESS EFFECTS. The host's process is not ours. Loading the library and running
 * steps changes no signal handler, disposition or mask, no working directory, no
 * environment, no umask, and no stream of the host. There is no SIGCHLD and no
 * child for the host to see, whatever it does with either: exit statuses are true.
 * (A host that is process 1 of a container, or a subreaper, gets the supervisor for a child,
 * as it gets every orphan.) All descriptors are close-on-exec; of the library's one stays
 * open, one for each supervisor, and one for each monitor that waits (at most 16). Threads
 * with different users, limits, priorities or processors have supervisors of their own, of
 * which 8 are kept. A Python interpreter that stays warm for a pool (at most 8, for 60
 * seconds each) has four. A host may close them all, as daemons do, and use their numbers: the
 * library looks at what a number stands for before it uses or closes it, and starts afresh. A
 * step in flight is FW_STATUS_UNKNOWN then, and its processes are ended. (Not so the connections to
 * engines and to remote volumes, which are libcurl's.)
 * After fork() in a host that has run a step, every fallible call in the new process
 * is FW_E_FORKED, and the steps of the old one go on; before its first step a host may
 * fork as it likes. The library cannot be unloaded: dlclose() leaves it where it is.
 *
 * MEMORY. A document that does not fit into memory is FW_E_NO_MEMORY. Output that
 * does not fit is cut: fw_result_output_cut() tells how much is missing, and
 * fw_result_message() says so. A failed small
 * allocation inside the Swift runtime ends the process.
 *
 * SYSTEM. Linux 5.4 or later with /proc, and libjansson. The library sets none of jansson's
 * process-wide hooks.
 */
#ifndef FLOWWORKER_H
#define FLOWWORKER_H

#include <stddef.h>
#include <stdint.h>

#define FW_VERSION_MAJOR 0
#define FW_VERSION_MINOR 1
#define FW_VERSION_PATCH 0
#define FW_VERSION "0.1.0"

/* The number that a binding compares with fw_abi_version(): it changes only when
 * a program built for the old library could no longer use the new one. The
 * library's soname, libflowworker.so.0, changes with it. */
#define FW_ABI_VERSION 0

#if defined(__GNUC__) || defined(__clang__)
#define FW_API __attribute__((visibility("default")))
#define FW_MUSTUSE __attribute__((warn_unused_result))
#else
#define FW_API
#define FW_MUSTUSE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** For the length of a text that ends with a NUL. */
#define FW_ZERO_TERMINATED ((size_t)-1)

/* ------------------------------------------------------------------ types -- */

/** FW_OK or one of the FW_E_ numbers. The numbers are never changed or reused. */
typedef int32_t fw_status;

#define FW_OK 0
/** An argument is NULL, or not what the function takes: the call is wrong. */
#define FW_E_INVALID (-1)
/** The text is not JSON, or not UTF-8. The error has line and column. */
#define FW_E_SYNTAX (-2)
/** The JSON is not the document that is needed. The error has its JSON pointer. */
#define FW_E_DOCUMENT (-3)
/** A name that is not there: a worker of the pool, a key of the context, a function. */
#define FW_E_UNKNOWN (-4)
/** The worker does not run steps of this type. */
#define FW_E_STEP_TYPE (-5)
/** A command of the step has a placeholder that is not one. */
#define FW_E_TEMPLATE (-6)
/** Memory for the answer could not be had. */
#define FW_E_NO_MEMORY (-8)
/** The process was forked from one that had run steps: only that one can go on. */
#define FW_E_FORKED (-9)
/** The step has ended without this call of a function: nothing that it gives is taken. */
#define FW_E_ENDED (-10)

/** How a step ended. Numbers are never changed or reused; later versions add more:
 *  treat one that you do not know as a failure. */
typedef int32_t fw_outcome;

/** The last command that ran ended by itself; its exit status is the returncode. */
#define FW_EXITED 0
/** The last command that ran was ended by a signal; the returncode is -signal. */
#define FW_SIGNALED 1
/** The step ran longer than its timeout, and all its processes were ended. */
#define FW_TIMEOUT 2
/** fw_exec_cancel() was called, and all processes of the step were ended. */
#define FW_CANCELLED 3
/** Memory ran out in the command's container, and the command failed. The returncode is
 *  the command's own: mostly -9, for KILL. */
#define FW_OOM 4
/** A command could not be started, or nothing of a notebook could be run: returncode 1,
 *  and a message that says why. */
#define FW_SPAWN_FAILED 5
/** The engine of the step's containers does not answer, was lost, has cut off the output, or cannot go
 *  on (its disk is full, its registry is not there); or the system could not hand over what a command
 *  of this machine wrote: returncode 1, and output so far is kept. */
#define FW_ENGINE_FAILED 6
/** The commands of a step of a workflow succeeded, and did not make a file or folder that is among
 *  its outputs, or left one that was there before as it was; or the workflow has not made one of
 *  its own. Returncode 1. */
#define FW_OUTPUT_MISSING 7
/** Nobody knows how a command ended: its monitor was killed or could not tell, or the host has
 *  closed the descriptor that it tells by. Returncode 1. */
#define FW_STATUS_UNKNOWN 8
/** An input of a step, or of a workflow, is in none of the volumes. Returncode 1. */
#define FW_INPUT_MISSING 9
/** A storage volume does not answer, is full, or does not let go of a file. Returncode 1. */
#define FW_VOLUME_FAILED 10

/** The two output streams of a step. */
typedef int32_t fw_stream;

#define FW_STDOUT 1
#define FW_STDERR 2

/* What an event is about: fw_event_kind(). Numbers are never changed or reused; later
 * versions add more: pass over one that you do not know. */

/** The first event of every step. */
#define FW_EVENT_STEP_STARTED 1
/** The main process of a command runs. */
#define FW_EVENT_COMMAND_STARTED 2
/** Output of a command: fw_event_stream() and fw_event_data(). */
#define FW_EVENT_OUTPUT 3
/** A command has ended, and its output is complete; or it could not be started. A step
 *  whose run directory cannot be used has no event of a command. */
#define FW_EVENT_COMMAND_ENDED 4
/** An attempt has failed; the next one begins after a delay. */
#define FW_EVENT_RETRY 5
/** The last event of every step: its result is there. */
#define FW_EVENT_STEP_ENDED 6
/** An image is being pulled or built, or a cell of a notebook has started or ended;
 *  fw_event_to_json() says how far that is. */
#define FW_EVENT_PROGRESS 7
/** The first event of a workflow. */
#define FW_EVENT_RUN_STARTED 8
/** The last event of a workflow: its result is there. */
#define FW_EVENT_RUN_ENDED 9
/** A file has been copied from one volume to another. */
#define FW_EVENT_FILE_COPIED 10
/** A step is not run, because a run before has ended it (the option `state`). */
#define FW_EVENT_STEP_RESTORED 11

/** Workers, the steps that are mapped to them, and the defaults for the others. */
typedef struct fw_pool fw_pool;
/** What runs steps of one type. */
typedef struct fw_worker fw_worker;
/** One step of a workflow, as its document says. Never changes. */
typedef struct fw_step fw_step;
/** The values that the commands of a workflow's steps may refer to. */
typedef struct fw_context fw_context;
/** A step or a workflow that was started. */
typedef struct fw_exec fw_exec;
/** Something that happened while a step or a workflow ran. Never changes. */
typedef struct fw_event fw_event;
/** What happened when a step or a workflow was run. Never changes. */
typedef struct fw_result fw_result;
/** Why a call failed. Never changes. */
typedef struct fw_error fw_error;
/** One call of a function of the host: see fw_function_register(). */
typedef struct fw_call fw_call;
/** A sequence of steps with their files and values, as its document says. Never changes. */
typedef struct fw_workflow fw_workflow;

/** jansson's value, for hosts that hold one: see fw_pool_create_from(). */
struct json_t;

/* ---------------------------------------------------------------- library -- */

/**
 * Gives the version of the library that was loaded, as FW_VERSION has it.
 *
 * @return borrowed; valid for ever.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_version(void);

/**
 * Gives the FW_ABI_VERSION of the library that was loaded.
 *
 * @return the number; a binding refuses a library that gives another one.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_abi_version(void);

/**
 * Gives facts about the library that was loaded, for reports of defects.
 *
 * @return borrowed; valid for ever. A JSON object with at least `version`,
 *         `abi_version`, `jansson`, `swift` and `worker_types` (the types that
 *         this version runs).
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_build_info(void);

/**
 * Releases text that a function of this library gave.
 *
 * @param text owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API void fw_string_free(char *text);

/* ----------------------------------------------------------------- errors -- */

/**
 * Gives the status that the failed call returned.
 *
 * @param error borrowed; NULL gives FW_OK.
 * @return one of the FW_E_ numbers.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_error_code(const fw_error *error);

/**
 * Gives the reason as one line: what was wrong, where, and what would be right. It has
 * no control characters, and of a long name or of many names only some.
 *
 * @param error borrowed; NULL gives "no error".
 * @return borrowed, until the error is freed; never NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_error_message(const fw_error *error);

/**
 * Gives the JSON pointer (RFC 6901) of the value that was wrong.
 *
 * @param error borrowed; may be NULL.
 * @return borrowed, until the error is freed. "" is the whole document; NULL means
 *         that the error is not about a value of a document.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_error_path(const fw_error *error);

/**
 * Gives the line of the text at which the error is.
 *
 * For FW_E_TEMPLATE the text is the command that fw_error_path() points to; for
 * the others it is the document that was passed.
 *
 * @param error borrowed; may be NULL.
 * @return the line, from 1; 0 where there is no text or no place in it.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_error_line(const fw_error *error);

/**
 * Gives the column of the text at which the error is.
 *
 * @param error borrowed; may be NULL.
 * @return the column in characters, from 1; 0 where fw_error_line() gives 0.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_error_column(const fw_error *error);

/**
 * Releases an error.
 *
 * @param error owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API void fw_error_free(fw_error *error);

/* -------------------------------------------------------------- documents -- */
/* The documents' grammar is in docs/documents.md. Unknown keys, duplicate keys
 * and wrong types are refused. */

/**
 * Makes the JSON of a worker specification.
 *
 * @param type       borrowed; `code`, `subprocess`, `docker`, `notebook`,
 *                   `nbdocker` or `slurm`.
 * @param identifier borrowed; the worker's name. NULL: a new unique one.
 * @param variables  borrowed; a JSON object of strings and integers, that commands
 *                   may refer to and that win over the context. NULL: none.
 * @param env        borrowed; a JSON object of strings and integers, the
 *                   environment variables of the commands. NULL: none.
 * @param volume     borrowed; the name of the storage volume of the worker. NULL or
 *                   empty: the default one.
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX   `variables` or `env` is not JSON.
 * @retval FW_E_DOCUMENT the type is unknown, or a variable cannot be one.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_spec_worker(const char *type, const char *identifier,
                                const char *variables, const char *env,
                                const char *volume, char **json,
                                fw_error **error) FW_MUSTUSE;

/**
 * Makes the JSON of a code worker's specification.
 *
 * @param identifier borrowed; as for fw_spec_worker().
 * @param volume     borrowed; as for fw_spec_worker().
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_spec_code(const char *identifier, const char *volume,
                              char **json, fw_error **error) FW_MUSTUSE;

/**
 * Makes the JSON of a subprocess worker's specification.
 *
 * @param identifier borrowed; as for fw_spec_worker().
 * @param variables  borrowed; as for fw_spec_worker().
 * @param env        borrowed; as for fw_spec_worker().
 * @param volume     borrowed; as for fw_spec_worker().
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_spec_subprocess(const char *identifier, const char *variables,
                                    const char *env, const char *volume,
                                    char **json, fw_error **error) FW_MUSTUSE;

/**
 * Makes the JSON of a docker worker's specification.
 *
 * @param identifier borrowed; as for fw_spec_worker().
 * @param variables  borrowed; as for fw_spec_worker().
 * @param env        borrowed; as for fw_spec_worker().
 * @param volume     borrowed; as for fw_spec_worker().
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_spec_docker(const char *identifier, const char *variables,
                                const char *env, const char *volume, char **json,
                                fw_error **error) FW_MUSTUSE;

/**
 * Makes the JSON of a notebook worker's specification.
 *
 * @param identifier borrowed; as for fw_spec_worker().
 * @param volume     borrowed; as for fw_spec_worker().
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_spec_notebook(const char *identifier, const char *volume,
                                  char **json, fw_error **error) FW_MUSTUSE;

/**
 * Makes the JSON of the specification of a worker that runs notebooks in containers.
 *
 * @param identifier borrowed; as for fw_spec_worker().
 * @param env        borrowed; as for fw_spec_worker().
 * @param volume     borrowed; as for fw_spec_worker().
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX   `env` is not JSON.
 * @retval FW_E_DOCUMENT a variable cannot be one.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_spec_nbdocker(const char *identifier, const char *env,
                                  const char *volume, char **json,
                                  fw_error **error) FW_MUSTUSE;

/**
 * Reads one step of a workflow.
 *
 * The placeholders of its commands are not looked at before the step is run.
 *
 * @param json       borrowed; a step document.
 * @param length     its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] step  owned by the caller on FW_OK: release it with fw_step_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT it is not a step.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_step_create(const char *json, size_t length, fw_step **step,
                                fw_error **error) FW_MUSTUSE;

/**
 * Gives the name of a step.
 *
 * @param step borrowed; NULL gives NULL.
 * @return borrowed, until the step is freed.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_step_name(const fw_step *step);

/**
 * Gives the type of a step.
 *
 * @param step borrowed; NULL gives NULL.
 * @return borrowed, valid for ever: "container", "code" or "notebook".
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_step_type(const fw_step *step);

/**
 * Releases a step.
 *
 * @param step owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any, when the step is in no other call. Blocks: no. Since: 0.1.
 */
FW_API void fw_step_free(fw_step *step);

/**
 * Makes a context.
 *
 * @param json         borrowed; a JSON object. NULL: an empty context.
 * @param length       its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] context owned by the caller on FW_OK: release it with
 *                     fw_context_free().
 * @param[out] error   owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT it is not an object.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_context_create(const char *json, size_t length,
                                   fw_context **context,
                                   fw_error **error) FW_MUSTUSE;

/**
 * Gives one value of a context as JSON.
 *
 * @param context    borrowed.
 * @param name       borrowed; the key.
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_UNKNOWN the context has no such key.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_context_get(const fw_context *context, const char *name,
                                char **json, fw_error **error) FW_MUSTUSE;

/**
 * Sets one value of a context. A step that is running keeps the values with which
 * it was started.
 *
 * @param context    borrowed.
 * @param name       borrowed; the key.
 * @param json       borrowed; any JSON value, not only an object.
 * @param length     its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX the text is not JSON.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_context_set(fw_context *context, const char *name,
                                const char *json, size_t length,
                                fw_error **error) FW_MUSTUSE;

/**
 * Gives a context as a JSON object, its keys in the order in which they came.
 *
 * @param context    borrowed.
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_context_to_json(const fw_context *context, char **json,
                                    fw_error **error) FW_MUSTUSE;

/**
 * Releases a context.
 *
 * @param context owned by the caller, and no longer valid after the call; may be
 *                NULL.
 *
 * Threads: any, when the context is in no other call. Blocks: no. Since: 0.1.
 */
FW_API void fw_context_free(fw_context *context);

/* ------------------------------------------------------------------- pool -- */

/**
 * Makes a pool of workers.
 *
 * @param json       borrowed; an engine configuration (an object with `workers`,
 *                   `workflow` or `managers`, and so on) or only the list of
 *                   workers.
 * @param length     its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] pool  owned by the caller on FW_OK: release it with fw_pool_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT it is not a configuration: an unknown key or worker type, a
 *                       wrong type of value, two workers of one name.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_pool_create(const char *json, size_t length, fw_pool **pool,
                                fw_error **error) FW_MUSTUSE;

/**
 * Makes a pool of workers from a jansson value that the host holds.
 *
 * @param config     borrowed; the value that fw_pool_create() takes as text. It is
 *                   not changed, and not needed after the call. No other thread may
 *                   change it during the call.
 * @param[out] pool  owned by the caller on FW_OK: release it with fw_pool_free().
 * @param[out] error owned by the caller on failure; may be NULL. It has no line.
 *
 * @retval FW_E_DOCUMENT it is not a configuration.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_pool_create_from(const struct json_t *config, fw_pool **pool,
                                     fw_error **error) FW_MUSTUSE;

/**
 * Gives the worker that is responsible for a step.
 *
 * That is the worker which the configuration maps to the step's name, made when it
 * is first asked for; or else the default worker for the type of the step.
 *
 * @param pool        borrowed.
 * @param step        borrowed; only its name and type matter.
 * @param[out] worker borrowed, until the pool is freed. The same pointer for the same
 *                    worker, always.
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_UNKNOWN the step is mapped to a worker that the pool does not have.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_pool_get(fw_pool *pool, const fw_step *step,
                             const fw_worker **worker, fw_error **error) FW_MUSTUSE;

/**
 * Gives the default worker for a step, whatever the configuration maps it to.
 *
 * For a container step it is a subprocess worker with the variables `python`
 * (`python3`) and `java` (`$JAVA_HOME/bin/java`, or `java`), or what the
 * configuration's `default_variables` say.
 *
 * @param pool        borrowed.
 * @param step        borrowed; only its type matters.
 * @param[out] worker borrowed, until the pool is freed.
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_pool_default_worker(fw_pool *pool, const fw_step *step,
                                        const fw_worker **worker,
                                        fw_error **error) FW_MUSTUSE;

/**
 * Releases a pool, and all workers that it has lent.
 *
 * @param pool owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any, when the pool and its workers are in no other call. Blocks: no.
 * Since: 0.1.
 */
FW_API void fw_pool_free(fw_pool *pool);

/* ---------------------------------------------------------------- workers -- */

/**
 * Makes one worker, outside of any pool.
 *
 * @param json        borrowed; a worker specification.
 * @param length      its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] worker owned by the caller on FW_OK: release it with fw_worker_free().
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT it is not a worker specification.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_worker_create(const char *json, size_t length,
                                  fw_worker **worker, fw_error **error) FW_MUSTUSE;

/**
 * Gives the name of a worker.
 *
 * @param worker borrowed; NULL gives NULL.
 * @return borrowed, as long as the worker is. A default worker has a unique one.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_worker_name(const fw_worker *worker);

/**
 * Gives the type of a worker.
 *
 * @param worker borrowed; NULL gives NULL.
 * @return borrowed, valid for ever: `code`, `subprocess`, `docker`, `notebook`,
 *         `nbdocker` or `slurm`.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_worker_type(const fw_worker *worker);

/**
 * Gives the storage volume that a worker has access to.
 *
 * @param worker borrowed; NULL gives NULL.
 * @return borrowed, as long as the worker is; `__default__` where the specification
 *         names none.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_worker_volume(const fw_worker *worker);

/**
 * Gives the names that a worker's specification calls secret.
 *
 * @param worker borrowed; NULL gives NULL.
 * @return borrowed, as long as the worker is; a JSON array of texts.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_worker_secrets(const fw_worker *worker);

/**
 * Releases a worker that fw_worker_create() gave. A lent worker is not released.
 *
 * @param worker owned by the caller, and no longer valid after the call; may be
 *               NULL. A worker that a pool has lent is left as it is.
 *
 * Threads: any, when the worker is in no other call. Blocks: no. Since: 0.1.
 */
FW_API void fw_worker_free(fw_worker *worker);

/* -------------------------------------------------------------- functions -- */

/**
 * A function of the host, for code steps.
 *
 * It runs on a thread of the library's that was made for this call, has all signals
 * blocked, and has the run directory as its working directory: for this thread and the
 * threads and processes that it starts, while the rest of the host keeps its own. What it
 * prints goes where the host prints; what belongs to the step is written with
 * fw_call_write(). (With the first thread of a process, whoever makes it, the C library
 * begins to catch a signal of its own, 33.) The other steps of the process go on meanwhile, with any number of
 * calls of the same function at once.
 *
 * Where the system refuses a thread a working directory of its own (unshare(2): the seccomp
 * profiles of Docker and Kubernetes do, unless told otherwise), functions run one at a time:
 * the run directory is that of the whole process during the call, and the host's own is put
 * back behind it. Meanwhile other threads of the host see it too; the library's own relative
 * paths begin at the host's. The result says so in its `notes`. A function that is given up
 * loses the directory. One that runs a step itself, and waits for it, lends the directory to
 * that step's function; it must do so in the thread that it was called in. fw_call_rundir()
 * names the directory in any case.
 *
 * It must not throw (C++): nobody could take the exception, and the host would end.
 *
 * A function cannot be ended from outside. When its step is cancelled or times out,
 * fw_call_is_cancelled() says so, and it has the worker's `grace` to return. Then the
 * call is given up: the step ends, its result says that something still runs
 * (`is_ended` is false), and the thread goes on until the function returns, with the
 * payload and the call still valid, though nothing that it gives is taken any more. The
 * thread and what the function holds, its locks and memory, are not freed by anybody
 * else: a function that never returns costs the host a thread for ever.
 *
 * @param call    borrowed, until the function returns.
 * @param payload what fw_function_register() was given.
 */
typedef void (*fw_function)(fw_call *call, void *payload);

/**
 * Registers a function, by the name that the `func` of code steps has.
 *
 * It is for the code workers that the pool has lent, also for steps that come later. One
 * that has the same name is replaced; a call that runs keeps its own. A step whose
 * `func` is the name of no function must have an import path, `package.module.function`,
 * which is run by a Python interpreter.
 *
 * @param pool        borrowed.
 * @param name        borrowed; the name.
 * @param parameters  borrowed; a JSON array of the names of the function's parameters.
 *                    The call has those of them that the context has, each under the
 *                    name that the step's `variables` map it to, or else its own. NULL:
 *                    none.
 * @param function    the function.
 * @param payload     the library keeps the pointer; may be NULL.
 * @param release     called once with the payload, on any thread, when the function can no
 *                    longer be called: it was replaced, or the pool is freed, and no
 *                    call runs; also when the registration fails. NULL: nothing.
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_INVALID  the name is empty, or `function` is NULL.
 * @retval FW_E_SYNTAX   `parameters` is not JSON.
 * @retval FW_E_DOCUMENT it is no array of names.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_function_register(fw_pool *pool, const char *name,
                                      const char *parameters, fw_function function,
                                      void *payload, void (*release)(void *payload),
                                      fw_error **error) FW_MUSTUSE;

/**
 * Has all code steps that run with a context be calls of one function, whatever their `func`
 * is, and instead of what the pool has registered. It is for hosts in other languages, whose
 * functions have no names: the payload stands for a table of theirs, in which
 * fw_call_step() finds the function.
 *
 * It holds for runs that begin later. Their calls have all values of the context as
 * arguments: fw_call_argument() takes the names that the context has.
 *
 * @param context     borrowed.
 * @param function    the function.
 * @param payload     the library keeps the pointer; may be NULL.
 * @param release     called once with the payload, on any thread, when the function can no
 *                    longer be called; also when this call fails. NULL: nothing.
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_INVALID `function` is NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_context_set_function(fw_context *context, fw_function function,
                                         void *payload, void (*release)(void *payload),
                                         fw_error **error) FW_MUSTUSE;

/**
 * Gives the name of the step that a call is for.
 *
 * @param call borrowed; NULL gives NULL.
 * @return borrowed, until the function returns.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_call_step(const fw_call *call);

/**
 * Gives the action of the step that a call is for, with all references replaced.
 *
 * @param call borrowed; NULL gives NULL.
 * @return borrowed, until the function returns: a JSON object with `func`, `arg` (or null) and
 *         `variables`, as docs/documents.md has them. NULL: there is no memory for it.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_call_action(const fw_call *call);

/**
 * Gives an argument as JSON.
 *
 * @param call        borrowed.
 * @param parameter   borrowed; one of the names that the function was registered with; under
 *                    fw_context_set_function() any name that the context has.
 * @param[out] length the number of bytes; may be NULL.
 * @return borrowed, until the function returns, and followed by a NUL. NULL: the context
 *         has no such value, or the function no such parameter.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_call_argument(const fw_call *call, const char *parameter,
                                    size_t *length);

/**
 * Gives the path of the step's run directory, as the host named it.
 *
 * @param call borrowed; NULL gives NULL.
 * @return borrowed, until the function returns.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_call_rundir(const fw_call *call);

/**
 * Writes output of the step: events, the result and its limits treat it like that of a
 * command. It waits when nobody takes the output of a step that is not waited for, raises
 * no signal, and returns when the call is given up.
 *
 * @param call       borrowed.
 * @param stream     FW_STDOUT or FW_STDERR.
 * @param bytes      borrowed; any bytes.
 * @param length     how many, or FW_ZERO_TERMINATED.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_ENDED the call was given up, and nobody takes output.
 *
 * Threads: any, until the function returns; what several threads write comes in pieces.
 * Blocks: while the buffer (64 KiB for both streams) is full. Since: 0.1.
 */
FW_API fw_status fw_call_write(fw_call *call, fw_stream stream, const char *bytes,
                               size_t length, fw_error **error) FW_MUSTUSE;

/**
 * Does what fw_call_write() does, and lets the bytes be an element of their own of the
 * result's output, also when there are none. (Otherwise all output of one function and
 * stream is one element.) Output that was cut is one element, and so are pieces between
 * which a secret might stand.
 *
 * Threads, Blocks: as for fw_call_write(). Since: 0.1.
 */
FW_API fw_status fw_call_write_piece(fw_call *call, fw_stream stream, const char *bytes,
                                     size_t length, fw_error **error) FW_MUSTUSE;

/**
 * Tells whether the step was cancelled or its time is up.
 *
 * @param call borrowed; NULL gives 1.
 * @return 1 if the function should return, else 0.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_call_is_cancelled(const fw_call *call);

/**
 * Has the host called when the step is cancelled or its time is up: once, on the thread that
 * notices it, or at once if that is so already. For functions that wait for something, and
 * cannot ask fw_call_is_cancelled() all the time.
 *
 * @param call       borrowed.
 * @param notice     the function to be called; it comes in place of one that was given before.
 *                   It is not called any more when the function has returned. It should only
 *                   wake somebody, and must call no fw_call and no fw_exec function.
 * @param payload    what it is called with.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_call_on_cancel(fw_call *call, void (*notice)(void *payload), void *payload,
                                   fw_error **error) FW_MUSTUSE;

/**
 * Gives the function's value: the step succeeds when the function returns. The value is put into
 * the context of the step under the name that is the step's `arg`, and into the result.
 * A function that gives none has the value null. The last value, or failure, counts.
 *
 * @param call       borrowed.
 * @param json       borrowed; any JSON value.
 * @param length     its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX it is not JSON; what was given before counts.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_call_return(fw_call *call, const char *json, size_t length,
                                fw_error **error) FW_MUSTUSE;

/**
 * Lets the step fail when the function returns, with returncode 1. The result has type,
 * message and trace as its `exception`, and the trace as the last piece of its standard
 * error. The context stays as it was.
 *
 * @param call       borrowed.
 * @param type       borrowed; the kind of the failure, such as "ValueError". NULL: "Error".
 * @param message    borrowed; what happened. NULL: "".
 * @param trace      borrowed; where it happened, any text. NULL: none.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_call_fail(fw_call *call, const char *type, const char *message,
                              const char *trace, fw_error **error) FW_MUSTUSE;

/**
 * Says what came of the call, for hosts that have more to say than fw_call_return() and
 * fw_call_fail(). The last of the three counts.
 *
 * @param call       borrowed.
 * @param json       borrowed; an object with what there is of: `returncode` (0 to 255; without it 0, and 1 with an exception);
 *                   `exception` (`type`, `message`, `trace`); `started`, false if the function
 *                   could not be called (FW_SPAWN_FAILED); `value`; `object`, which says in
 *                   words what the value is where `value` is only what is shown of it (no state
 *                   directory keeps it, and no function in another process gets it); `unfit`, which
 *                   says why no command and no notebook can have the value, as the end of a sentence about it.
 * @param length     its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX, FW_E_DOCUMENT the JSON is no such report; what was given before counts.
 *
 * Threads: any, until the function returns. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_call_report(fw_call *call, const char *json, size_t length,
                                fw_error **error) FW_MUSTUSE;

/* -------------------------------------------------------------- execution -- */

/**
 * Runs a step, and returns when it has ended.
 *
 * The commands run one after the other in the run directory; the first that does
 * not end with status 0 is the last. A step that fails is an ordinary outcome: the
 * call gives FW_OK, and `*result` says what happened. On any other status nothing
 * was started. It is fw_exec_start() without events, and fw_exec_wait().
 *
 * @param worker      borrowed.
 * @param step        borrowed; of a type that the worker runs.
 * @param context     borrowed; the values of the commands' placeholders, the arguments of
 *                    functions and notebooks. The value of a code step's function is put
 *                    into it. NULL: none.
 * @param rundir      borrowed; the path of the run directory.
 * @param[out] result owned by the caller on FW_OK: release it with fw_result_free().
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_STEP_TYPE   the worker does not run steps of this type.
 * @retval FW_E_TEMPLATE    a placeholder is not valid. The path names the command,
 *                          line and column the place in it.
 * @retval FW_E_UNKNOWN     no function has the name that is the step's `func`.
 *
 * Threads: any, any number at once with the same worker. Blocks: as long as the
 * commands run. Since: 0.1.
 */
FW_API fw_status fw_worker_exec(const fw_worker *worker, const fw_step *step,
                                fw_context *context, const char *rundir,
                                fw_result **result, fw_error **error) FW_MUSTUSE;

/**
 * Says what would run, and runs nothing: no process is started, no engine and no
 * scheduler is asked.
 *
 * @param worker     borrowed.
 * @param step       borrowed; of a type that the worker runs.
 * @param context    borrowed. NULL: none.
 * @param rundir     borrowed; the path of the run directory.
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free(). The
 *                   commands after substitution, the environment, and what the type has: the
 *                   arguments of processes, the containers with their mounts, the submission to
 *                   a scheduler, the parameters of a notebook. Secrets are masked.
 *                   docs/documents.md has its grammar.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_STEP_TYPE, FW_E_TEMPLATE, FW_E_UNKNOWN as fw_worker_exec() gives them.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_worker_plan(const fw_worker *worker, const fw_step *step, fw_context *context,
                                const char *rundir, char **json, fw_error **error) FW_MUSTUSE;

/**
 * Starts a step, and returns at once.
 *
 * The step goes on while somebody calls fw_exec_next_event() or fw_exec_wait(): a
 * command whose output nobody takes waits when its pipe (64 KiB) is full, and the next
 * command begins when the end of the last one has been seen. Timeouts run in any case.
 * It uses three descriptors, and a fourth from the first fw_exec_fd() on; a function of
 * the host three, a Python function or a notebook nine, a step in containers about ten.
 *
 * @param worker     borrowed; needed no longer after the call, like all the others.
 * @param step       borrowed; of a type that the worker runs.
 * @param context    borrowed; as for fw_worker_exec().
 * @param rundir     borrowed; the path of the run directory.
 * @param options    borrowed; a JSON object with what this host wants of this run:
 *                   `events` (`chunks`, `text`, `lines` or `none`), `timeout`,
 *                   `output_limit`, `spill`, `retries`. They win over those of the
 *                   step, which win over the worker's. NULL: none, and `chunks`.
 * @param[out] exec  owned by the caller on FW_OK: release it with fw_exec_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_STEP_TYPE   the worker does not run steps of this type.
 * @retval FW_E_TEMPLATE    a placeholder is not valid. The path names the command,
 *                          line and column the place in it.
 * @retval FW_E_UNKNOWN     no function has the name that is the step's `func`.
 * @retval FW_E_DOCUMENT    `options` are not what they should be.
 *
 * Threads: any, any number at once with the same worker. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_exec_start(const fw_worker *worker, const fw_step *step,
                               fw_context *context, const char *rundir,
                               const char *options, fw_exec **exec,
                               fw_error **error) FW_MUSTUSE;

/**
 * Gives a descriptor that can be read exactly when fw_exec_next_event() or
 * fw_exec_wait() has something to do without waiting.
 *
 * It is for poll(2), select(2), epoll(7) and what is built on them, level-triggered;
 * nothing else may be done with it. After the last event has been taken, and after
 * fw_exec_wait() has given the result, it is never readable again.
 *
 * @param exec borrowed; NULL gives -1.
 * @return borrowed, until the exec is freed, and always the same, unless the host has closed
 *         it; -1 when the system has no descriptor left.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int fw_exec_fd(fw_exec *exec);

/**
 * Takes the next event of a step.
 *
 * The first is FW_EVENT_STEP_STARTED, the last FW_EVENT_STEP_ENDED. Between them, for
 * each command: started, its output, ended. Events of both streams come in the order in
 * which they were read, which is the order of writing as far as two pipes can tell.
 * Events that come during a fw_exec_wait() are passed over, and so is all output if
 * `events` is `none`.
 *
 * @param exec       borrowed.
 * @param timeout    how many seconds to wait for an event: 0 not at all, a negative
 *                   number for ever.
 * @param[out] event owned by the caller: release it with fw_event_free(). NULL when
 *                   there was none in that time, and after the last event.
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any; two that ask at once get different events. Blocks: up to `timeout`.
 * Since: 0.1.
 */
FW_API fw_status fw_exec_next_event(fw_exec *exec, double timeout, fw_event **event,
                                    fw_error **error) FW_MUSTUSE;

/**
 * Waits for the end of a step.
 *
 * @param exec        borrowed.
 * @param timeout     how many seconds to wait: 0 not at all, a negative number for
 *                    ever. The step goes on when they have passed.
 * @param[out] result owned by the caller: release it with fw_result_free(). NULL when
 *                    the step has not ended in that time. Each call gives one, once
 *                    it has ended.
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: up to `timeout`. Since: 0.1.
 */
FW_API fw_status fw_exec_wait(fw_exec *exec, double timeout, fw_result **result,
                              fw_error **error) FW_MUSTUSE;

/**
 * Asks for the end of a step: TERM to all its processes, KILL after the grace.
 *
 * It does not wait for that: whoever waits for the step gets the result, with the
 * outcome FW_CANCELLED, when all its processes are gone. A command that had ended
 * before stays as it ended; no further command and no further attempt begins.
 *
 * @param exec borrowed; NULL and a step that has ended are left as they are.
 *
 * Threads: any, also while others wait for the step. Blocks: no. Since: 0.1.
 */
FW_API void fw_exec_cancel(fw_exec *exec);

/**
 * Releases an exec. A step that has not ended is cancelled, and nobody waits for it:
 * the supervisor ends its processes, with TERM and, after the grace, KILL.
 *
 * @param exec owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any, when the exec is in no other call. Blocks: no. Since: 0.1.
 */
FW_API void fw_exec_free(fw_exec *exec);

/* -------------------------------------------------------------- workflows -- */

/**
 * Reads a workflow: the document of a flowServ template, or what such a one has under
 * `workflow`.
 *
 * @param json          borrowed; an object with `steps`, and with `files` and `parameters` if
 *                      there are some; references like `$[[name]]` stand for arguments. The
 *                      grammar is in docs/documents.md.
 * @param length        its length in bytes, or FW_ZERO_TERMINATED.
 * @param[out] workflow owned by the caller on FW_OK: release it with fw_workflow_free().
 * @param[out] error    owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT a step is not one, two have one name, a key of a file leads out of its
 *                       volume, a reference is to a parameter that the template does not have.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_workflow_create(const char *json, size_t length, fw_workflow **workflow,
                                    fw_error **error) FW_MUSTUSE;

/**
 * Releases a workflow; runs of it go on.
 *
 * @param workflow owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any, when the workflow is in no other call. Blocks: no. Since: 0.1.
 */
FW_API void fw_workflow_free(fw_workflow *workflow);

/**
 * Runs a workflow to its end: fw_workflow_start(), and fw_exec_wait().
 *
 * For each step in turn: its worker is found as by fw_pool_get(); its inputs are made
 * available in the worker's volume, where that has not their latest version; the folders of
 * its outputs are made; it is run; its outputs are looked for, and the volume has their latest
 * version from then on. The first step that fails is the last. In the end the outputs of the
 * workflow are made available in the run directory.
 *
 * The result is that of the last step that ran, as far as returncode, outcome and message go.
 * Its output is that of all steps, one after the other, and fw_result_step() has each of them.
 *
 * @param workflow    borrowed.
 * @param pool        borrowed; its workers, volumes and functions. NULL: the default workers.
 * @param context     borrowed; the arguments of the workflow's parameters. The values that the
 *                    steps can refer to are put into it, and those that functions give. NULL:
 *                    there are no arguments.
 * @param rundir      borrowed; the path of the default volume's directory, which is made if
 *                    there is none. NULL: that of the volume `__default__` of the pool, or of
 *                    the options.
 * @param options     borrowed; a JSON object: `deadline` (seconds for the whole), `state` (a
 *                    directory, so that a run that was cut off goes on where it was), `volumes`
 *                    (those of this run, in place of the pool's), and `timeout`,
 *                    `output_limit`, `spill` and `retries` for each step. NULL: none.
 * @param[out] result owned by the caller on FW_OK: release it with fw_result_free().
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_UNKNOWN   a step is mapped to a worker that the pool does not have, or its
 *                        worker to a volume.
 * @retval FW_E_STEP_TYPE, FW_E_TEMPLATE of any step, before the first one runs. The path says of
 *                        which.
 * @retval FW_E_DOCUMENT  an argument is missing, unknown or of another type.
 *
 * Threads: any, any number at once with the same workflow. Blocks: until it has ended.
 * Since: 0.1.
 */
FW_API fw_status fw_workflow_run(const fw_workflow *workflow, fw_pool *pool, fw_context *context,
                                 const char *rundir, const char *options, fw_result **result,
                                 fw_error **error) FW_MUSTUSE;

/**
 * Starts a workflow, and returns at once. It is waited for, looked at, cancelled and released
 * like a step that fw_exec_start() has started; its events are those of its steps and some of
 * its own. Files of this machine are copied in pieces of a few milliseconds, in the calls that
 * take events and wait.
 *
 * @param workflow    borrowed.
 * @param pool        borrowed. NULL: the default workers.
 * @param context     borrowed; as for fw_workflow_run().
 * @param rundir      borrowed; as for fw_workflow_run().
 * @param options     borrowed; as for fw_workflow_run(), and `events` as for fw_exec_start().
 *                    NULL: none.
 * @param[out] exec   owned by the caller on FW_OK: release it with fw_exec_free().
 * @param[out] error  owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_UNKNOWN, FW_E_STEP_TYPE, FW_E_TEMPLATE, FW_E_DOCUMENT as for fw_workflow_run().
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_workflow_start(const fw_workflow *workflow, fw_pool *pool, fw_context *context,
                                   const char *rundir, const char *options, fw_exec **exec,
                                   fw_error **error) FW_MUSTUSE;

/* ----------------------------------------------------------------- events -- */

/**
 * Tells what an event is about.
 *
 * @param event borrowed; NULL gives 0.
 * @return FW_EVENT_STEP_STARTED or one of the numbers behind it.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_event_kind(const fw_event *event);

/**
 * Gives the number of an event among all events of its step.
 *
 * @param event borrowed; NULL gives 0.
 * @return the number, from 1. It rises by 1 from one event to the next; a gap
 *         means that another thread has taken events, or fw_exec_wait() has.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API uint64_t fw_event_sequence(const fw_event *event);

/**
 * Gives the time of an event: for output, when it was read.
 *
 * @param event borrowed; NULL gives 0.
 * @return seconds since 1970-01-01 00:00 UTC.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API double fw_event_time(const fw_event *event);

/**
 * Tells which command of the step an event is about.
 *
 * @param event borrowed; may be NULL.
 * @return its index, from 0; -1 when the event is about the step as a whole.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_event_command(const fw_event *event);

/**
 * Tells which step of its workflow an event is about.
 *
 * @param event borrowed; may be NULL.
 * @return the step's index, from 0; -1 when the event is about the workflow, or there is none.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_event_step(const fw_event *event);

/**
 * Tells in which attempt an event happened.
 *
 * @param event borrowed; NULL gives 0.
 * @return the number of the attempt, from 1.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_event_attempt(const fw_event *event);

/**
 * Tells on which stream output came.
 *
 * @param event borrowed; may be NULL.
 * @return FW_STDOUT or FW_STDERR; 0 for an event that is no output.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_stream fw_event_stream(const fw_event *event);

/**
 * Gives the output of an event.
 *
 * With `events` `chunks` that is what one read gave: any bytes. With `text` it is
 * whole characters: a character that came in two pieces is in the event of the last
 * one, and bytes that are not UTF-8 are U+FFFD. With `lines` it is one line of such
 * text, without its end (LF or CR LF); a line longer than 64 KiB comes in pieces; what
 * follows the last line end is a line too.
 *
 * @param event       borrowed; may be NULL.
 * @param[out] length the number of bytes; may be NULL.
 * @return borrowed, until the event is freed, and followed by a NUL that is not part
 *         of it; NULL for an event that is no output.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_event_data(const fw_event *event, size_t *length);

/**
 * Tells whether the line of an event goes on in the next event of its stream: with `events`
 * `lines`, for a line that is longer than 64 KiB.
 *
 * @param event borrowed; may be NULL.
 * @return 1 if it goes on, else 0.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_event_is_continued(const fw_event *event);

/**
 * Gives an event as JSON: all that is above, and for the beginning of a command its
 * text and process, for its end what a result says of it, for a retry the reason and
 * the delay, for the end of the step its outcome.
 *
 * @param event      borrowed.
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_event_to_json(const fw_event *event, char **json,
                                  fw_error **error) FW_MUSTUSE;

/**
 * Releases an event.
 *
 * @param event owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any, when the event is in no other call. Blocks: no. Since: 0.1.
 */
FW_API void fw_event_free(fw_event *event);

/* ---------------------------------------------------------------- results -- */

/**
 * Gives the name of the step whose result it is.
 *
 * @param result borrowed; may be NULL.
 * @return borrowed, until the result is freed; NULL for the result of a workflow.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_result_name(const fw_result *result);

/**
 * Gives the returncode of a step: 0 is success.
 *
 * @param result borrowed; NULL gives 1.
 * @return the exit status of the last command that ran, or -N when signal N ended
 *         it; 1 when a command could not be started. After a timeout or a cancel
 *         it is that of the command that was ended, but never 0.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_result_returncode(const fw_result *result);

/**
 * Tells how a step ended.
 *
 * @param result borrowed; NULL gives FW_STATUS_UNKNOWN.
 * @return FW_EXITED or one of the numbers beside it.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_outcome fw_result_outcome(const fw_result *result);

/**
 * Gives the name of an outcome, as the JSON of a result has it.
 *
 * @param outcome a number that fw_result_outcome() gave.
 * @return borrowed, valid for ever: `exited`, `signaled`, `timeout`,
 *         `cancelled`, `oom`, `spawn_failed`, `engine_failed`, `output_missing`,
 *         `status_unknown`, `input_missing`, `volume_failed`; NULL for a number that is none.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_outcome_name(fw_outcome outcome);

/**
 * Says in one line why a step failed: the step, the command, and what happened. Of a success it says
 * that output is not whole, where the end of a stream was not seen (`incomplete` in the JSON), memory ran
 * out, or a file of `spill` is not complete. Of a workflow also that its state could not be kept.
 *
 * @param result borrowed; may be NULL.
 * @return borrowed, until the result is freed; NULL when there is nothing to say: the step did not
 *         fail, and its output is whole.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_result_message(const fw_result *result);

/**
 * Tells whether output of a step may be missing because the end of a stream was not seen: the connection to
 * an engine broke, or stayed silent behind the command's end, or a pipe could not be read to its end.
 *
 * What an output_limit has cut off is another matter.
 *
 * @param result borrowed; NULL gives 0.
 * @param stream FW_STDOUT or FW_STDERR; any other gives 0.
 * @return 1 when it may be missing from what a command of the last attempt wrote to the stream (of a
 *         workflow: of any step), otherwise 0.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API int32_t fw_result_output_incomplete(const fw_result *result, fw_stream stream);

/**
 * Tells how many pieces of output a step has on one stream.
 *
 * @param result borrowed; NULL gives 0.
 * @param stream FW_STDOUT or FW_STDERR; any other gives 0.
 * @return the number of commands that wrote to the stream. A command that could not
 *         be started counts on FW_STDERR, with the message that says why.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API size_t fw_result_output_count(const fw_result *result, fw_stream stream);

/**
 * Gives one piece of output: all bytes that one command wrote to one stream.
 *
 * @param result      borrowed; may be NULL.
 * @param stream      FW_STDOUT or FW_STDERR.
 * @param index       which piece, from 0.
 * @param[out] length the number of bytes; may be NULL. 0 when there is no such piece.
 * @return borrowed, until the result is freed, and followed by a NUL that is not part
 *         of it; NULL when there is no such piece.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const char *fw_result_output(const fw_result *result, fw_stream stream,
                                    size_t index, size_t *length);

/**
 * Tells how much of a piece of output is not there: what the command wrote beyond an output_limit, or
 * beyond what there was memory for.
 *
 * @param result  borrowed; NULL gives 0.
 * @param stream  FW_STDOUT or FW_STDERR; any other gives 0.
 * @param index   which piece, from 0.
 * @param[out] at where the missing bytes would be, in bytes from the piece's beginning: its length when
 *                none are missing, or those at the end; may be NULL. 0 when there is no such piece.
 * @return the number of missing bytes; 0 when all are there, or there is no such piece.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API size_t fw_result_output_cut(const fw_result *result, fw_stream stream, size_t index,
                                   size_t *at);

/**
 * Tells of how many steps the result of a workflow is made.
 *
 * @param result borrowed; NULL, and the result of a step, give 0.
 * @return how many steps were run, those included that a run before had ended.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API size_t fw_result_step_count(const fw_result *result);

/**
 * Gives the result of one step of a workflow.
 *
 * @param result borrowed; may be NULL.
 * @param index  which step, from 0.
 * @return borrowed, until the result of the workflow is freed; it is never freed itself. NULL
 *         when there is no such step.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API const fw_result *fw_result_step(const fw_result *result, size_t index);

/**
 * Gives a view of a result for people: when what ran, how it ended, and what it wrote last.
 *
 * @param result     borrowed; of a step or a workflow.
 * @param format     borrowed; `trace`: JSON in the Trace Event Format, which Perfetto and Chrome's
 *                   about:tracing open. `html`: one page that needs nothing else.
 * @param[out] text  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_UNKNOWN there is no such format.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_result_view(const fw_result *result, const char *format, char **text,
                                fw_error **error) FW_MUSTUSE;

/**
 * Gives a result as JSON: all that is above, and for each command its text, status,
 * times, usage and what it left behind. Bytes that are not UTF-8 are replaced.
 *
 * @param result     borrowed.
 * @param[out] json  owned by the caller on FW_OK: release it with fw_string_free().
 * @param[out] error owned by the caller on failure; may be NULL.
 *
 * @retval FW_E_NO_MEMORY the text is larger than the memory that can be had.
 *
 * Threads: any. Blocks: no. Since: 0.1.
 */
FW_API fw_status fw_result_to_json(const fw_result *result, char **json,
                                   fw_error **error) FW_MUSTUSE;

/**
 * Releases a result.
 *
 * @param result owned by the caller, and no longer valid after the call; may be NULL.
 *
 * Threads: any, when the result is in no other call. Blocks: no. Since: 0.1.
 */
FW_API void fw_result_free(fw_result *result);

#ifdef __cplusplus
}
#endif

#endif
