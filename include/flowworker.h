/*
 * flowworker.h - run workflow steps from inside any program.
 *
 * libflowworker is the worker layer of a workflow system, as a library. A host program gives it a pool of
 * workers as JSON, asks the pool for the worker of a step, runs the step, and reads what happened:
 *
 *     fw_pool *pool;  fw_step *step;  const fw_worker *worker;  fw_result *result;
 *
 *     fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, NULL);
 *     fw_step_create("{\"name\": \"hello\", \"action\": {\"environment\": \"\","
 *                    " \"commands\": [[\"echo\", \"Hello $who\"]]}}", FW_ZERO_TERMINATED, &step, NULL);
 *     fw_pool_get(pool, step, &worker, NULL);
 *     fw_worker_exec(worker, step, NULL, "/tmp", &result, NULL);
 *     printf("return code %d\n", (int)fw_result_returncode(result));
 *     for (size_t i = 0; i < fw_result_output_count(result, FW_STDOUT); i++)
 *       fputs(fw_result_output(result, FW_STDOUT, i, NULL), stdout);
 *
 * (A real program checks each status; README.md has one. flowworker.hpp is the form of this header for C++.) A host
 * with an event loop starts the step instead, and watches a descriptor:
 *
 *     fw_exec_start(worker, step, NULL, "/tmp", NULL, 0, &exec, NULL);
 *     ... poll(2), epoll, GLib, libuv or asyncio on fw_exec_fd(exec) ...
 *     fw_exec_next_event(exec, 0, &event, NULL);
 *
 * A workflow is a sequence of steps whose files move between storage volumes:
 *
 *     fw_workflow_create("{\"steps\": [...]}", FW_ZERO_TERMINATED, &workflow, NULL);
 *     fw_workflow_run(workflow, pool, context, "/tmp/run", NULL, 0, &result, NULL);
 *
 * DEFAULTS. The following holds for every function unless its description says otherwise:
 *   - It may be called from any thread, it does not block, and it exists since version 0.1.
 *   - An input is borrowed (see OWNERSHIP) and must not be NULL.
 *   - `json`, as an output, is JSON text that the caller owns and releases with fw_string_free().
 *   - `error` is the last parameter and may be NULL. On failure it receives an error that the caller owns and
 *     releases with fw_error_free().
 *   - A `_free` function releases a handle that the caller owns and that no other call is using. NULL is ignored.
 *   - A function that reads a property of a handle accepts NULL and then returns NULL or 0. The text it returns
 *     is borrowed until the handle is freed.
 *
 * OWNERSHIP. The descriptions use two words:
 *   borrowed             The library uses an input only during the call, and copies what it needs later. The caller
 *                        may use an output only for as long as the description says, and does not release it.
 *   owned by the caller  The caller releases it with the `_free` function of its type.
 * Whatever the caller must release arrives through an out-parameter. What a function returns directly is
 * borrowed. A handle keeps the objects that it needs alive, so handles may be freed in any order. The one
 * exception is a worker from fw_pool_get(), which is valid only until its pool is freed.
 *
 * ERRORS. Every function that can fail returns an fw_status: FW_OK or a negative number. On failure every
 * output other than `error` is NULL; on success `*error` is NULL. A NULL argument where a value is needed gives
 * FW_E_INVALID. Any fallible function may give FW_E_INVALID, FW_E_NO_MEMORY or FW_E_FORKED; the descriptions
 * list only other codes that a caller may want to handle.
 * A call has one of three outcomes, each in its own place:
 *   - The call was wrong, or a document cannot be used: a status and an error, and no result.
 *   - The step ran and failed, or a command could not be started: FW_OK, and a result that says so.
 *   - The step succeeded: FW_OK, and a result whose return code is 0.
 *
 * TEXT is UTF-8. Two names are equal if their bytes are equal. JSON text is passed with its length in bytes, or
 * with FW_ZERO_TERMINATED if it ends with a NUL; the length is ignored if the text is NULL. Names and paths end with a
 * NUL, and so does all text that the library returns. The output of a command is bytes with a length: it need
 * not be text and may contain NULs.
 *
 * THREADS. All functions are thread-safe. There are two restrictions: do not free a handle while another call is
 * using it, and do not cancel a thread (pthread_cancel(3)) that is in a function of the library. The library creates
 * no background threads. It creates a thread for each call of a host function (see fw_function), and libcurl may
 * create one while it resolves a host name. A running command continues by itself, but the next command of a step
 * starts only while a thread is in fw_exec_wait(), fw_exec_next_event() or fw_exec_write(). The same holds for what a
 * command reads, if it runs in a container or on a cluster.
 *
 * PROCESSES. The library starts a small helper process, the supervisor, with the first step. The supervisor is
 * the library's own file run as a program, and it is not a child of the host. For each running command it forks a
 * monitor, a process of a few memory pages that starts, watches and ends that command; idle monitors are reused.
 * A command runs in its own session, with default signal dispositions, an empty signal mask, and no other descriptor
 * of the host. Its standard input is what the step's `stdin` says, and /dev/null without one.
 *
 * A command inherits the user, groups, limits, umask, priority, processors, control group, root and namespaces
 * of the thread that starts the step. The library compares these before each step and uses another supervisor
 * where they differ; it keeps up to 8. Changes that the host makes after its first step to the following are not
 * seen: the IPC namespace, a UTS namespace with an unchanged host name, the security label, keyrings, timer
 * slack, I/O priority and oom_score_adj.
 *
 * ENDING. A command has ended when its main process has ended. The processes that it left running are then
 * ended too, unless the worker's option `background` says otherwise. A timeout, fw_exec_cancel() and the end of
 * the host reach every process of a command, including those that have moved to a session of their own. Each
 * gets SIGTERM and, after `grace` seconds, SIGKILL. The result is available only after they have ended, and lists
 * those that could not be ended.
 *
 * When the host ends for any reason, including SIGKILL, the supervisor ends all commands and then itself.
 * It also removes the containers of an engine that is reached without TLS; those of an engine behind TLS are
 * removed when the library next uses that engine. A host that replaces itself with exec(3) has ended in this
 * sense, unless a process that it forked still holds its descriptors.
 *
 * EFFECTS ON THE HOST. Loading the library and running steps changes no signal handler, disposition or mask of
 * the host, and neither its working directory, environment, umask nor standard streams; fw_function names two
 * exceptions for host functions. Commands are not children of the host, so the host receives no SIGCHLD for them
 * and cannot reap them by accident. A host that inherits orphans (process 1 of a container, or a subreaper) becomes
 * the parent of the supervisor. The library cannot be unloaded: dlclose() has no effect.
 *
 * All descriptors of the library are close-on-exec. Between steps it keeps open: one descriptor for itself, one per
 * supervisor (at most 8), one per idle monitor (at most 16), and four per idle Python interpreter (at most 8, each
 * closed after 60 s). A host may close them, as daemons do, and reuse their numbers: the library checks what a
 * number refers to before it uses or closes it. A step that is running then ends with FW_STATUS_UNKNOWN, and its
 * processes are ended. Connections to engines and remote volumes belong to libcurl and are not checked while
 * libcurl uses them.
 *
 * FORK. A host may fork before its first step. If it forks later, every fallible call in the child gives
 * FW_E_FORKED, and the steps of the parent continue.
 *
 * MEMORY. A document that does not fit into memory gives FW_E_NO_MEMORY. Output that does not fit is cut;
 * fw_result_output_cut() and fw_result_message() say so. If the Swift runtime cannot allocate a small object, it
 * ends the process.
 *
 * REQUIREMENTS.
 *   always         Linux 5.4 or later with /proc mounted, on x86-64 or arm64 (only x86-64 is tested); glibc 2.35;
 *                  libstdc++ of GCC 11 (GLIBCXX_3.4.29) and libgcc_s; libjansson 2.14. The library does not change
 *                  jansson's process-wide settings. The library of the Python wheel needs glibc 2.28, libstdc++ of
 *                  GCC 7 and no libjansson. fw_build_info() says which glibc a file needs.
 *   containers,    libcurl 7.68, loaded at first use. S3 and Google Cloud volumes need 7.75. SFTP volumes need no
 *   volumes        libcurl, but OpenSSH's ssh program in PATH.
 *   workers        The programs that a worker runs: a shell, a Python interpreter, a container engine, or Slurm's
 *                  commands.
 */
#ifndef FLOWWORKER_H
#define FLOWWORKER_H

#include <stddef.h>
#include <stdint.h>

#define FW_VERSION_MAJOR 0
#define FW_VERSION_MINOR 1
#define FW_VERSION_PATCH 0
#define FW_VERSION "0.1.0"

/* A binding compares this number with fw_abi_version(). It changes only when a program that was built for an old
 * library cannot use the new one; the soname, libflowworker.so.0, changes with it. */
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

/** Stands for the length of a text that ends with a NUL. */
#define FW_ZERO_TERMINATED SIZE_MAX

/* ------------------------------------------------------------------ types -- */

/** FW_OK or one of the FW_E_ numbers. A number never changes its meaning. */
typedef int32_t fw_status;

#define FW_OK 0
/** The call is wrong: an argument is NULL, of the wrong type, or out of range. */
#define FW_E_INVALID (-1)
/** The text is not valid JSON or not valid UTF-8. The error has a line and a column. */
#define FW_E_SYNTAX (-2)
/** The text is JSON, but not the document that the function reads. The error has a JSON pointer. */
#define FW_E_DOCUMENT (-3)
/** A name was not found: a worker of the pool, a key of the context, a function, or a format. */
#define FW_E_UNKNOWN (-4)
/** The worker does not run steps of this type. */
#define FW_E_STEP_TYPE (-5)
/** A command cannot be expanded: it contains an invalid placeholder, or one without a value though `placeholders` is
 *  `strict`; or no program is left of its words. */
#define FW_E_TEMPLATE (-6)
/** The engine, or this kind of step, cannot do it. The message says what can. */
#define FW_E_UNSUPPORTED (-7)
/** There is not enough memory for the answer. */
#define FW_E_NO_MEMORY (-8)
/** The process was forked from one that had already run steps, and cannot use the library. */
#define FW_E_FORKED (-9)
/** What the call needs has ended: the step has ended without waiting for this call of a host function, whose output and
 *  value are discarded; or there is no command that can take the input or the signal (any more). */
#define FW_E_ENDED (-10)

/** How a step ended. A number never changes its meaning. Later versions may add numbers: treat an unknown one as
 *  a failure. */
typedef int32_t fw_outcome;

/** The last command that ran ended by itself. The return code is its exit status, or 0 if that is one of the
 *  `success_codes`. */
#define FW_EXITED 0
/** The last command that ran was ended by a signal. The return code is the negative signal number. */
#define FW_SIGNALED 1
/** The step exceeded its timeout and was ended. */
#define FW_TIMEOUT 2
/** The step was ended by fw_exec_cancel(). */
#define FW_CANCELLED 3
/** The command's container ran out of memory, and the command failed. The return code is the command's own, mostly
 *  -9 for SIGKILL. */
#define FW_OOM 4
/** A command could not be started, or no cell of a notebook could be run. The return code is 1. */
#define FW_SPAWN_FAILED 5
/** The engine of the step does not answer, was lost, cut off the output, or cannot continue (for instance because
 *  its disk is full or a registry cannot be reached); or the system could not deliver the output of a local command.
 *  The return code is 1; the output up to then is kept. */
#define FW_ENGINE_FAILED 6
/** The commands of a workflow's step succeeded, but one of its outputs is missing or unchanged; or an output of the
 *  workflow is missing. The return code is 1. */
#define FW_OUTPUT_MISSING 7
/** The exit status of a command is not known: its monitor was killed or could not report it, or the host closed the
 *  descriptor on which it reports. The return code is 1. */
#define FW_STATUS_UNKNOWN 8
/** An input of a step or of a workflow is in none of the volumes. The return code is 1. */
#define FW_INPUT_MISSING 9
/** A storage volume does not answer, is full, or denies access to a file. The return code is 1. */
#define FW_VOLUME_FAILED 10

/** One of the two output streams of a step. */
typedef int32_t fw_stream;

#define FW_STDOUT 1
#define FW_STDERR 2

/** Which processes of the running command get a signal. */
typedef int32_t fw_signal_target;

/** The main process: the program of a command of words, or the shell of a command of shell text. */
#define FW_SIGNAL_MAIN 1
/** All processes of the command. */
#define FW_SIGNAL_TREE 2

/* What fw_event_kind() returns. A number never changes its meaning. Later versions may add numbers: ignore an event
 * of an unknown kind. */

/** The first event of every step. */
#define FW_EVENT_STEP_STARTED 1
/** The main process of a command is running. */
#define FW_EVENT_COMMAND_STARTED 2
/** A command wrote output: see fw_event_stream() and fw_event_data(). */
#define FW_EVENT_OUTPUT 3
/** A command has ended and its output is complete, or it could not be started. A step whose run directory cannot be
 *  used has no events of commands. */
#define FW_EVENT_COMMAND_ENDED 4
/** An attempt has failed, and the next one begins after a delay. */
#define FW_EVENT_RETRY 5
/** The last event of every step: its result is available. */
#define FW_EVENT_STEP_ENDED 6
/** An image is being pulled or built, or a cell of a notebook has started or ended. fw_event_to_json() has the
 *  details. */
#define FW_EVENT_PROGRESS 7
/** The first event of a workflow. */
#define FW_EVENT_RUN_STARTED 8
/** The last event of a workflow: its result is available. */
#define FW_EVENT_RUN_ENDED 9
/** A file was copied from one volume to another. */
#define FW_EVENT_FILE_COPIED 10
/** A step is not run because an earlier run has completed it (option `state`). */
#define FW_EVENT_STEP_RESTORED 11

/** Workers, the steps that are mapped to them, and the defaults for all other steps. */
typedef struct fw_pool fw_pool;
/** Runs steps of one type. */
typedef struct fw_worker fw_worker;
/** One step of a workflow, as read from its document. Immutable. */
typedef struct fw_step fw_step;
/** The values to which the commands of steps can refer. */
typedef struct fw_context fw_context;
/** The execution of a step or of a workflow. */
typedef struct fw_exec fw_exec;
/** Something that happened during an execution. Immutable. */
typedef struct fw_event fw_event;
/** What happened when a step or a workflow was run. Immutable. */
typedef struct fw_result fw_result;
/** Why a call failed. Immutable. */
typedef struct fw_error fw_error;
/** One call of a host function: see fw_function_register(). */
typedef struct fw_call fw_call;
/** A sequence of steps with their files and values, as read from its document. Immutable. */
typedef struct fw_workflow fw_workflow;

/** A value of jansson, for hosts that use jansson themselves: see fw_pool_create_from(). */
struct json_t;

/* ---------------------------------------------------------------- library -- */

/**
 * Returns the version of the loaded library, in the form of FW_VERSION. The text is valid forever.
 */
FW_API const char *fw_version(void);

/**
 * Returns the FW_ABI_VERSION of the loaded library. A binding refuses a library that returns another number than the
 * one it was written for.
 */
FW_API int32_t fw_abi_version(void);

/**
 * Returns facts about the loaded library, for defect reports.
 *
 * @return borrowed; valid forever. A JSON object with at least `version`, `abi_version`, `jansson` (the version of the
 *         jansson that it uses), `glibc` (the oldest glibc that can load this file), `swift` and `worker_types` (the
 *         worker types that this version runs).
 */
FW_API const char *fw_build_info(void);

/**
 * Releases text that a function of this library gave to the caller.
 *
 * @param text owned by the caller; may be NULL.
 */
FW_API void fw_string_free(char *text);

/* ---------------------------------------------------------------- logging -- */

/** How important a line of the log is: the smaller the number, the more important. A number never changes its
 *  meaning. */
typedef int32_t fw_log_level;

/** No line. */
#define FW_LOG_OFF 0
/** A step or a workflow has failed. */
#define FW_LOG_ERROR 1
/** Something went wrong that the library copes with, such as an attempt that is followed by another one; or a setting
 *  has no effect. */
#define FW_LOG_WARNING 2
/** What runs where: steps, workflows, supervisors, interpreters, engines, and what waits in a queue. */
#define FW_LOG_INFO 3
/** Each command, each cell of a notebook and each file that is copied. */
#define FW_LOG_DEBUG 4

/**
 * A log, which gets lines of the library.
 *
 * It runs in the thread whose call of the library writes the line, and several threads may be in it at once. The call
 * of the library continues when it returns. It must not call any function of this library, and must not wait for a
 * thread that may be in one. An exception of C++ that it throws is dropped. It must not end its thread.
 *
 * @param level   FW_LOG_ERROR or one of the numbers after it.
 * @param message borrowed, until the function returns: one line of UTF-8 without a line end and without control
 *                characters, at most 4096 characters long. Secrets are masked. The wording may change with each
 *                version.
 * @param payload the pointer that was passed to fw_set_log().
 */
typedef void (*fw_log_function)(fw_log_level level, const char *message, void *payload);

/**
 * Sets the log of this process, in place of the one before. Without a log, which is how a process begins, nothing is
 * written anywhere. docs/reference/log.md lists what is written.
 *
 * @param level    the least important level that is written. FW_LOG_OFF: the log is off.
 * @param function the log. It may be NULL if the level is FW_LOG_OFF.
 * @param payload  passed to each call. The library keeps the pointer. May be NULL.
 * @param release  called once with the payload, on any thread, when the log can no longer be called: it was replaced or
 *                 turned off, and no thread is in it; or this call failed. It is not called at the end of the process.
 *                 An exception that it throws is dropped. May be NULL.
 *
 * @retval FW_E_INVALID `level` is none of the FW_LOG_ numbers, or `function` is NULL though the log is not off.
 */
FW_API fw_status fw_set_log(fw_log_level level, fw_log_function function, void *payload, void (*release)(void *payload),
                            fw_error **error) FW_MUSTUSE;

/** Returns the name of a level, borrowed and valid forever: `off`, `error`, `warning`, `info` or `debug`; NULL for any
 *  other number. */
FW_API const char *fw_log_level_name(fw_log_level level);

/* ---------------------------------------------------------------- quoting -- */

/**
 * Quotes a text as one word of a shell, so that a command gets it unchanged, whatever characters it has.
 *
 * It is for text that stands between the other words of a command. It is right for every POSIX shell (dash, bash,
 * busybox), but not for csh, and not inside of other quotes or of a here-document. A command needs it for no value of
 * the context, because the placeholder `${name:q}` quotes the value, and a command of words needs no quotes. In the
 * text of a command itself, each `$` must be doubled as well, because it begins a placeholder there.
 *
 * @param text        any bytes but NUL; they need not be UTF-8.
 * @param length      the length of `text`, or FW_ZERO_TERMINATED.
 * @param[out] quoted owned by the caller; release it with fw_string_free(). It always has quotes.
 *
 * @retval FW_E_INVALID the text contains a NUL, which no argument of a command can contain.
 */
FW_API fw_status fw_quote_shell(const char *text, size_t length, char **quoted, fw_error **error) FW_MUSTUSE;

/**
 * Quotes a text as a JSON string, with its quotation marks.
 *
 * @param text   UTF-8 text without NUL.
 * @param length the length of `text`, or FW_ZERO_TERMINATED.
 *
 * @retval FW_E_INVALID the text contains a NUL, which no document of the library can contain.
 * @retval FW_E_SYNTAX  the text is not valid UTF-8. The error has a line and a column.
 */
FW_API fw_status fw_quote_json(const char *text, size_t length, char **json, fw_error **error) FW_MUSTUSE;

/* ----------------------------------------------------------------- errors -- */

/**
 * Returns the status that the failed call returned; FW_OK for NULL.
 */
FW_API fw_status fw_error_code(const fw_error *error);

/**
 * Returns the name of a status, for messages and logs.
 *
 * @return borrowed, valid forever: `ok`, `invalid`, `syntax`, `document`, `unknown`, `step_type`, `template`,
 *         `unsupported`, `no_memory`, `forked` or `ended`, which is the name of the constant without FW_E_; NULL for
 *         any other number.
 */
FW_API const char *fw_status_name(fw_status status);

/**
 * Returns the reason in one line: what was wrong, and what would be right. If a value of a document is wrong,
 * fw_error_path(), fw_error_line() and fw_error_column() give its place, which the message does not repeat. The
 * message has no control characters. Long names and long lists of names are shortened.
 *
 * @return borrowed, until the error is freed; never NULL. For NULL it is "no error".
 */
FW_API const char *fw_error_message(const fw_error *error);

/**
 * Returns the JSON pointer (RFC 6901) of the wrong value.
 *
 * @return borrowed, until the error is freed. "" is the whole document; NULL means that the error is not about a
 *         value of a document.
 */
FW_API const char *fw_error_path(const fw_error *error);

/**
 * Returns the line of the text where the error is. The text is the document that was passed; for FW_E_TEMPLATE it is
 * the command to which fw_error_path() points.
 *
 * @return the line, from 1; 0 if no text or no position is known.
 */
FW_API int32_t fw_error_line(const fw_error *error);

/**
 * Returns the column of the text where the error is.
 *
 * @return the column in characters, from 1; 0 if fw_error_line() returns 0.
 */
FW_API int32_t fw_error_column(const fw_error *error);

/** Releases an error. */
FW_API void fw_error_free(fw_error *error);

/* -------------------------------------------------------------- documents -- */
/* docs/reference/documents.md leads to the grammar of all documents. Unknown keys, duplicate keys and values of a wrong
 * type are refused. */

/**
 * Builds the JSON of a worker specification.
 *
 * @param type       `code`, `subprocess`, `docker`, `notebook`, `nbdocker` or `slurm`.
 * @param identifier the worker's name. NULL: a new unique name.
 * @param variables  a JSON object of strings and integers, to which commands may refer. They take precedence over
 *                   the context. NULL: none.
 * @param variables_length the length of `variables`.
 * @param env        a JSON object: environment variables of the commands. A string or an integer sets one, null unsets
 *                   one. NULL: none.
 * @param env_length the length of `env`.
 * @param volume     the name of the worker's storage volume. NULL or empty: the default volume.
 * @param options    a JSON object with the options of the worker type. Its keys are checked when a worker is
 *                   created from the specification. NULL: none.
 * @param options_length the length of `options`.
 *
 * @retval FW_E_SYNTAX   one of the JSON texts is not JSON.
 * @retval FW_E_DOCUMENT the type is unknown, a variable has a value that is neither a string nor an integer, or
 *                       `options` is not an object.
 */
FW_API fw_status fw_spec_worker(const char *type, const char *identifier, const char *variables,
                                size_t variables_length, const char *env, size_t env_length, const char *volume,
                                const char *options, size_t options_length, char **json, fw_error **error) FW_MUSTUSE;

/** Builds the JSON of a code worker's specification. The parameters are those of fw_spec_worker(). */
FW_API fw_status fw_spec_code(const char *identifier, const char *volume, const char *options, size_t options_length,
                              char **json, fw_error **error) FW_MUSTUSE;

/** Builds the JSON of a subprocess worker's specification. The parameters are those of fw_spec_worker(). */
FW_API fw_status fw_spec_subprocess(const char *identifier, const char *variables, size_t variables_length,
                                    const char *env, size_t env_length, const char *volume, const char *options,
                                    size_t options_length, char **json, fw_error **error) FW_MUSTUSE;

/** Builds the JSON of a docker worker's specification. The parameters are those of fw_spec_worker(). */
FW_API fw_status fw_spec_docker(const char *identifier, const char *variables, size_t variables_length, const char *env,
                                size_t env_length, const char *volume, const char *options, size_t options_length,
                                char **json, fw_error **error) FW_MUSTUSE;

/** Builds the JSON of a notebook worker's specification. The parameters are those of fw_spec_worker(). */
FW_API fw_status fw_spec_notebook(const char *identifier, const char *volume, const char *options,
                                  size_t options_length, char **json, fw_error **error) FW_MUSTUSE;

/** Builds the JSON of the specification of a worker that runs notebooks in containers. The parameters are those of
 *  fw_spec_worker(). */
FW_API fw_status fw_spec_nbdocker(const char *identifier, const char *env, size_t env_length, const char *volume,
                                  const char *options, size_t options_length, char **json, fw_error **error) FW_MUSTUSE;

/** Builds the JSON of a slurm worker's specification. The parameters are those of fw_spec_worker(). */
FW_API fw_status fw_spec_slurm(const char *identifier, const char *variables, size_t variables_length, const char *env,
                               size_t env_length, const char *volume, const char *options, size_t options_length,
                               char **json, fw_error **error) FW_MUSTUSE;

/**
 * Reads one step of a workflow. The placeholders of its commands are checked when the step is run.
 *
 * @param json      a step document.
 * @param length    the length of `json`.
 * @param[out] step owned by the caller; release it with fw_step_free().
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT the document is not a step.
 */
FW_API fw_status fw_step_create(const char *json, size_t length, fw_step **step, fw_error **error) FW_MUSTUSE;

/** Returns the name of a step. */
FW_API const char *fw_step_name(const fw_step *step);

/**
 * Returns the type of a step.
 *
 * @return borrowed, valid forever: "container", "code" or "notebook".
 */
FW_API const char *fw_step_type(const fw_step *step);

/** Releases a step. */
FW_API void fw_step_free(fw_step *step);

/**
 * Creates a context.
 *
 * @param json         a JSON object. NULL: an empty context.
 * @param length       the length of `json`.
 * @param[out] context owned by the caller; release it with fw_context_free().
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT the value is not an object.
 */
FW_API fw_status fw_context_create(const char *json, size_t length, fw_context **context, fw_error **error) FW_MUSTUSE;

/**
 * Gives one value of a context as JSON.
 *
 * @param name the key.
 *
 * @retval FW_E_UNKNOWN the context has no such key.
 */
FW_API fw_status fw_context_get(const fw_context *context, const char *name, char **json, fw_error **error) FW_MUSTUSE;

/**
 * Sets one value of a context. A step that is already running keeps the values that it was started with.
 *
 * @param name   the key.
 * @param json   any JSON value.
 * @param length the length of `json`.
 *
 * @retval FW_E_SYNTAX the text is not JSON.
 */
FW_API fw_status fw_context_set(fw_context *context, const char *name, const char *json, size_t length,
                                fw_error **error) FW_MUSTUSE;

/** Gives a context as a JSON object, with its keys in the order in which they were set. */
FW_API fw_status fw_context_to_json(const fw_context *context, char **json, fw_error **error) FW_MUSTUSE;

/** Releases a context. */
FW_API void fw_context_free(fw_context *context);

/* ------------------------------------------------------------------- pool -- */

/**
 * Creates a pool of workers.
 *
 * @param json      an engine configuration (an object with `workers`, `workflow`, `managers` and so on), or only its
 *                  list of workers.
 * @param length    the length of `json`.
 * @param[out] pool owned by the caller; release it with fw_pool_free().
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT the document is not a configuration. Examples: an unknown key or worker type, a value of a
 *                       wrong type, two workers with the same name.
 */
FW_API fw_status fw_pool_create(const char *json, size_t length, fw_pool **pool, fw_error **error) FW_MUSTUSE;

/**
 * Creates a pool of workers from a jansson value.
 *
 * @param config    the value that fw_pool_create() reads from text. It is not changed, and no part of it is kept. It
 *                  may belong to another copy of jansson, from version 2.14 on, than the one that the library uses.
 *                  No other thread may change it during the call.
 * @param[out] pool owned by the caller; release it with fw_pool_free().
 *
 * @retval FW_E_DOCUMENT the value is not a configuration. The error has a path, but no line.
 */
FW_API fw_status fw_pool_create_from(const struct json_t *config, fw_pool **pool, fw_error **error) FW_MUSTUSE;

/**
 * Gives the worker that runs a step: the worker to which the configuration maps the step's name, or else the default
 * worker for the step's type. A worker is created when it is first asked for; afterwards the call takes no lock.
 *
 * @param step        only its name and type matter.
 * @param[out] worker borrowed, until the pool is freed. The same worker is always the same pointer.
 *
 * @retval FW_E_UNKNOWN the step is mapped to a worker that the pool does not have.
 */
FW_API fw_status fw_pool_get(fw_pool *pool, const fw_step *step, const fw_worker **worker, fw_error **error) FW_MUSTUSE;

/**
 * Gives the default worker for a step, whatever the configuration maps the step to.
 *
 * For a container step the default is a subprocess worker. Its variables are those of the configuration's
 * `default_variables`, or `python` (`python3`) and `java` (`$JAVA_HOME/bin/java`, or `java`).
 *
 * @param step        only its type matters.
 * @param[out] worker borrowed, until the pool is freed.
 */
FW_API fw_status fw_pool_default_worker(fw_pool *pool, const fw_step *step, const fw_worker **worker,
                                        fw_error **error) FW_MUSTUSE;

/**
 * Gives the worker of a configuration by its name, whatever steps are mapped to it. The worker is created when it is
 * first asked for.
 *
 * @param name        the worker's name in the configuration.
 * @param[out] worker borrowed, until the pool is freed. It is the same pointer that fw_pool_get() gives.
 *
 * @retval FW_E_UNKNOWN the configuration has no worker with this name.
 */
FW_API fw_status fw_pool_worker(fw_pool *pool, const char *name, const fw_worker **worker, fw_error **error) FW_MUSTUSE;

/** Returns the number of workers in the configuration of a pool. Default workers do not count. */
FW_API size_t fw_pool_worker_count(const fw_pool *pool);

/**
 * Returns the name of one worker of a configuration. No worker is created by this.
 *
 * @param index the index of the worker, from 0, in the order of the configuration.
 * @return borrowed, until the pool is freed. NULL if there is no such worker.
 */
FW_API const char *fw_pool_worker_name(const fw_pool *pool, size_t index);

/** Releases a pool and all workers that it has lent. Neither may be in use by another call. */
FW_API void fw_pool_free(fw_pool *pool);

/* ---------------------------------------------------------------- workers -- */

/**
 * Creates one worker outside of any pool.
 *
 * @param json        a worker specification.
 * @param length      the length of `json`.
 * @param[out] worker owned by the caller; release it with fw_worker_free().
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT the document is not a worker specification.
 */
FW_API fw_status fw_worker_create(const char *json, size_t length, fw_worker **worker, fw_error **error) FW_MUSTUSE;

/** Returns the name of a worker. A default worker has a unique one. */
FW_API const char *fw_worker_name(const fw_worker *worker);

/**
 * Returns the type of a worker.
 *
 * @return borrowed, valid forever: `code`, `subprocess`, `docker`, `notebook`, `nbdocker` or `slurm`.
 */
FW_API const char *fw_worker_type(const fw_worker *worker);

/** Returns the name of the storage volume of a worker; `__default__` if its specification names none. */
FW_API const char *fw_worker_volume(const fw_worker *worker);

/** Returns the names that the specification of a worker declares secret, as a JSON array of strings. */
FW_API const char *fw_worker_secrets(const fw_worker *worker);

/** Returns the names of the values of the context that the specification of a worker lists in `environment_values`, as
 *  a JSON array of strings. A host that makes a context for one step needs them. */
FW_API const char *fw_worker_environment_values(const fw_worker *worker);

/** Releases a worker that fw_worker_create() gave. A worker that a pool has lent is not changed. */
FW_API void fw_worker_free(fw_worker *worker);

/* -------------------------------------------------------------- functions -- */

/**
 * A host function, which code steps call.
 *
 * The function runs on a thread that the library creates for this call, with all signals blocked. Its working
 * directory is the run directory; this applies to that thread and to the threads and processes that it starts, while
 * the rest of the host keeps its own working directory. What the function prints goes where the host prints; output
 * of the step is written with fw_call_write(). Any number of calls may run at once, including calls of the same
 * function. (When a process creates its first thread, glibc installs a handler for its internal signal 33.)
 *
 * A function cannot be ended from outside. When its step is cancelled or times out, fw_call_is_cancelled() returns 1,
 * and the function has the worker's `grace` to return. After that the step ends without it: the result says that
 * something is still running (`is_ended` is false), and the function's further output and its value are discarded.
 * The thread continues until the function returns; the payload and the call stay valid until then. A function that
 * never returns keeps its thread, and the locks and memory that it holds, for the lifetime of the host.
 *
 * Some systems do not let a thread have its own working directory (unshare(2) fails, as under the default seccomp
 * profiles of Docker and containerd). There, functions run one at a time. During a call the run directory is the
 * working directory of the whole process and is visible to other threads of the host; afterwards the host's own is
 * restored. Relative paths that are passed to the library are still resolved from the host's own directory. A
 * function that runs another step and waits for it, in the thread in which it was called, lends the directory to the
 * function of that step. A function that outlives its step loses the directory. The result mentions all this in
 * `notes`. fw_call_rundir() gives the path of the directory in every case.
 *
 * A function in C++ may throw. The step then fails as with fw_call_fail(): the type is the class of the exception, and
 * the message is its what(). What the function has set before does not count. If the exception is neither a
 * std::exception nor a text (std::string, const char *), or if it is one of a C++ runtime that the host has in itself,
 * the message says only that.
 *
 * The step also fails if the function ends its thread (pthread_exit(3)), or if somebody cancels the thread
 * (pthread_cancel(3)) while the function is running. The functions whose names begin with fw_call_ are no cancellation
 * points.
 *
 * @param call    borrowed, until the function returns.
 * @param payload the pointer that was registered.
 */
typedef void (*fw_function)(fw_call *call, void *payload);

/**
 * Registers a host function under the name that code steps use in `func`.
 *
 * All code workers of the pool can call it, including those that fw_pool_get() gave earlier. A function with the same
 * name is replaced; a call that is running finishes with the old one. If `func` is not a registered name, it must be
 * an import path `package.module.function`, and a Python interpreter runs that function.
 *
 * @param name       the name.
 * @param parameters a JSON array with the names of the function's parameters. The value of a parameter is the value
 *                   of the context that has the same name, or the name to which the step's `variables` map the
 *                   parameter. If the context has no such value, the call has no argument for it. NULL: none.
 * @param length     the length of `parameters`.
 * @param function   the function.
 * @param payload    passed to each call. The library keeps the pointer. May be NULL.
 * @param release    called once with the payload, on any thread, when the function can no longer be called: it was
 *                   replaced or the pool is freed, and no call is running; or this registration failed. An exception
 *                   that it throws is dropped. It must not end its thread. May be NULL.
 *
 * @retval FW_E_INVALID  the name is empty, or `function` is NULL.
 * @retval FW_E_SYNTAX   `parameters` is not JSON.
 * @retval FW_E_DOCUMENT `parameters` is not an array of names.
 */
FW_API fw_status fw_function_register(fw_pool *pool, const char *name, const char *parameters, size_t length,
                                      fw_function function, void *payload, void (*release)(void *payload),
                                      fw_error **error) FW_MUSTUSE;

/**
 * Makes all code steps that run with a context call one function, whatever their `func` is. It takes precedence over
 * the functions that are registered with the pool.
 *
 * It is for bindings to other languages, whose functions are objects. The payload identifies a table of the binding, in
 * which the function finds the object for the step that fw_call_step() names. It applies to runs that begin later. In
 * such a call, fw_call_argument() gives every value of the context.
 *
 * @param function the function.
 * @param payload  passed to each call. The library keeps the pointer. May be NULL.
 * @param release  called once with the payload, on any thread, when the function can no longer be called, or when
 *                 this call fails, as for fw_function_register(). May be NULL.
 *
 * @retval FW_E_INVALID `function` is NULL.
 */
FW_API fw_status fw_context_set_function(fw_context *context, fw_function function, void *payload,
                                         void (*release)(void *payload), fw_error **error) FW_MUSTUSE;

/* An fw_call may be used by any thread until the function returns. Text of a call is borrowed for the same time. */

/** Returns the name of the step that a call belongs to. */
FW_API const char *fw_call_step(const fw_call *call);

/**
 * Returns the action of the step that a call belongs to, with all references replaced.
 *
 * @return borrowed, until the function returns: a JSON object with `func`, `arg` (may be null), `variables`, and for an
 *         instance of a step with `foreach` the number of the `instance` from 0 and its `values` by their names, which
 *         are null otherwise. NULL if there is not enough memory.
 */
FW_API const char *fw_call_action(const fw_call *call);

/**
 * Returns an argument as JSON.
 *
 * @param parameter   a name that the function was registered with; after fw_context_set_function(), any name of the
 *                    context.
 * @param[out] length the number of bytes; may be NULL.
 * @return borrowed, until the function returns. NULL if the function has no such parameter or the context no such
 *         value.
 */
FW_API const char *fw_call_argument(const fw_call *call, const char *parameter, size_t *length);

/** Returns the path of the step's run directory, as the host gave it. */
FW_API const char *fw_call_rundir(const fw_call *call);

/**
 * Writes output of the step. Events, the result and its limits treat it like the output of a command; all output of
 * one function on one stream is one element of the result's output. No signal is raised. What several threads write
 * may be interleaved.
 *
 * Blocks while the buffer (64 KiB for both streams) is full and nobody reads the step's output. It returns when the
 * step ends without waiting for the function.
 *
 * @param stream FW_STDOUT or FW_STDERR.
 * @param bytes  any bytes.
 * @param length their number, or FW_ZERO_TERMINATED.
 *
 * @retval FW_E_ENDED the step has ended without waiting for the function.
 */
FW_API fw_status fw_call_write(fw_call *call, fw_stream stream, const char *bytes, size_t length,
                               fw_error **error) FW_MUSTUSE;

/**
 * Writes output like fw_call_write(), as a separate element of the result's output, even if it is empty. Output that
 * exceeds a limit is one element, and so are pieces that together could contain a secret.
 */
FW_API fw_status fw_call_write_piece(fw_call *call, fw_stream stream, const char *bytes, size_t length,
                                     fw_error **error) FW_MUSTUSE;

/** Returns 1 if the step was cancelled or its time is up, so that the function should return; otherwise 0. Returns 1
 *  for NULL. */
FW_API int32_t fw_call_is_cancelled(const fw_call *call);

/**
 * Sets a callback for the moment when the step is cancelled or its time is up. It is for functions that wait for
 * something and cannot poll fw_call_is_cancelled(). The callback is called once, on the thread that notices it; if
 * that moment has passed, it is called immediately. It is not called after the function has returned.
 *
 * @param notice  replaces an earlier callback. It should only wake up another thread, and must not call any fw_call_
 *                or fw_exec_ function. An exception that it throws is one of the result's `notes`. It must not end its
 *                thread.
 * @param payload passed to the callback; may be NULL.
 */
FW_API fw_status fw_call_on_cancel(fw_call *call, void (*notice)(void *payload), void *payload,
                                   fw_error **error) FW_MUSTUSE;

/**
 * Sets the value of the function. When the function returns, the step succeeds, and the value is stored in the result
 * and, under the name in the step's `arg`, in the context. Without this call the value is null. The last call of
 * fw_call_return(), fw_call_fail() and fw_call_report() counts.
 *
 * @param json   any JSON value.
 * @param length the length of `json`.
 *
 * @retval FW_E_SYNTAX the text is not JSON; an earlier value still counts.
 */
FW_API fw_status fw_call_return(fw_call *call, const char *json, size_t length, fw_error **error) FW_MUSTUSE;

/**
 * Makes the step fail with return code 1 when the function returns. The result has type, message and trace as its
 * `exception`, and the trace as the last element of its standard error. The context is not changed.
 *
 * @param type    the kind of failure, such as "ValueError". NULL: "Error".
 * @param message what happened. NULL: "".
 * @param trace   where it happened; any text. NULL: none.
 */
FW_API fw_status fw_call_fail(fw_call *call, const char *type, const char *message, const char *trace,
                              fw_error **error) FW_MUSTUSE;

/**
 * Sets the value or the failure of the function in one document, for hosts that need more than fw_call_return() and
 * fw_call_fail().
 *
 * @param json   a JSON object. All keys are optional:
 *               `returncode`: 0 to 255; by default 0, or 1 if there is an exception.
 *               `exception`: an object with `type`, `message` and `trace`.
 *               `started`: false if the function could not be called (FW_SPAWN_FAILED).
 *               `value`: the value of the function.
 *               `object`: a description of the value, if `value` is only a representation of an object that JSON
 *               cannot express. Such a value is not stored in a state directory and cannot be passed to a function in
 *               another process.
 *               `unfit`: why the value cannot be used in commands and notebooks, as the end of a sentence.
 *               `unfit_parameter`: the same, for a value that commands can use, but notebooks cannot.
 * @param length the length of `json`.
 *
 * @retval FW_E_SYNTAX   the text is not JSON; an earlier value still counts.
 * @retval FW_E_DOCUMENT the document has a wrong key or value; an earlier value still counts.
 */
FW_API fw_status fw_call_report(fw_call *call, const char *json, size_t length, fw_error **error) FW_MUSTUSE;

/* -------------------------------------------------------------- execution -- */

/**
 * Runs a step and returns when it has ended. It is fw_exec_start() without events, followed by fw_exec_wait().
 *
 * The commands run one after the other in the run directory, up to the first one that fails. A command succeeds if it
 * exits with one of the `success_codes` of the run, the step or the worker, which are 0 by default.
 * A step that fails is an ordinary outcome: the call returns FW_OK, and `*result` says what happened. If the call
 * returns another status, no command was started.
 *
 * Blocks until the step has ended. Any number of threads may run steps with the same worker.
 *
 * @param step        a step of a type that the worker runs.
 * @param context     the values for the placeholders of commands and the arguments of functions and notebooks. The
 *                    value of a code step's function is stored in it. NULL: none.
 * @param rundir      the path of the run directory.
 * @param[out] result owned by the caller; release it with fw_result_free().
 *
 * @retval FW_E_STEP_TYPE the worker does not run steps of this type.
 * @retval FW_E_DOCUMENT  the step has `foreach`, which only a workflow runs.
 * @retval FW_E_TEMPLATE  a command cannot be expanded. The path points to the command, or to the word of it; line and
 *                        column are the position in it.
 * @retval FW_E_UNKNOWN   `func` of a code step is neither a registered function nor an import path.
 */
FW_API fw_status fw_worker_exec(const fw_worker *worker, const fw_step *step, fw_context *context, const char *rundir,
                                fw_result **result, fw_error **error) FW_MUSTUSE;

/**
 * Runs a step with options and returns when it has ended. fw_worker_exec() is the case without options.
 *
 * Blocks until the step has ended. The other parameters and codes are those of fw_worker_exec().
 *
 * @param options as for fw_exec_start(), but `events` has no effect, because nobody could take them. NULL: none.
 * @param length  the length of `options`.
 *
 * @retval FW_E_DOCUMENT `options` has a wrong key or value.
 * @retval FW_E_INVALID  `stdin` is `host`, but nobody could write before the step has ended.
 */
FW_API fw_status fw_worker_exec_with(const fw_worker *worker, const fw_step *step, fw_context *context,
                                     const char *rundir, const char *options, size_t length, fw_result **result,
                                     fw_error **error) FW_MUSTUSE;

/**
 * Describes what would run, without running it: no process is started and no engine or scheduler is contacted.
 *
 * The JSON has the commands after substitution, the environment, and what the worker type adds: the arguments of
 * processes, containers with their mounts, the job submission, or the parameters of a notebook. Secrets are masked.
 * Placeholders without a value are listed in `unknown_placeholders`, and are never an error here.
 * docs/reference/results.md has its grammar. Parameters and codes are those of fw_worker_exec().
 */
FW_API fw_status fw_worker_plan(const fw_worker *worker, const fw_step *step, fw_context *context, const char *rundir,
                                char **json, fw_error **error) FW_MUSTUSE;

/**
 * Starts a step and returns immediately.
 *
 * The step advances while a thread is in fw_exec_next_event(), fw_exec_wait() or fw_exec_write(). Otherwise the running
 * command continues until the buffer of a pipe (64 KiB) is full, and the next command does not start. Timeouts apply in
 * any case.
 *
 * If as many steps of the worker run as its `limit` allows, or if other steps have the `resources` that the step takes,
 * it waits for its turn. Nothing of it has begun then: it has no event, its timeout does not run, and fw_exec_cancel()
 * ends it at once. A step gives back what it has when it is over, which it is only while a thread drives it to its end.
 * So drive all steps of such a worker, or wait for them in the order in which they were started.
 *
 * A step uses three descriptors, a fourth after the first fw_exec_fd(), and one for `stdin`. A host function uses
 * three, a Python function or a notebook nine, and a step in containers about ten. A step that waits for its turn uses
 * one.
 *
 * @param worker    like the other inputs, not needed after the call.
 * @param step      a step of a type that the worker runs.
 * @param context   as for fw_worker_exec().
 * @param rundir    the path of the run directory.
 * @param options   a JSON object with the options of this run: `events` (`chunks`, `text`, `lines` or `none`),
 *                  `timeout`, `output_limit`, `spill`, `retries`, `placeholders`, `success_codes` and `stdin`. They
 *                  take precedence over those of the step, which take precedence over those of the worker. If `stdin`
 *                  is `host`, the host writes the standard input of the command with fw_exec_write(). NULL: `events` is
 *                  `chunks`.
 * @param length    the length of `options`.
 * @param[out] exec owned by the caller; release it with fw_exec_free().
 *
 * @retval FW_E_STEP_TYPE as for fw_worker_exec(); FW_E_TEMPLATE and FW_E_UNKNOWN likewise.
 * @retval FW_E_DOCUMENT  `options` has a wrong key or value.
 */
FW_API fw_status fw_exec_start(const fw_worker *worker, const fw_step *step, fw_context *context, const char *rundir,
                               const char *options, size_t length, fw_exec **exec, fw_error **error) FW_MUSTUSE;

/**
 * Returns a descriptor that is readable exactly when fw_exec_next_event() or fw_exec_wait() can do something without
 * waiting, or when there is room for what an fw_exec_write() has not taken. It works with poll(2), select(2), epoll(7)
 * and event loops, level-triggered. Do not read from it or close it. It is never readable again after the last event
 * was taken or fw_exec_wait() gave the result.
 *
 * @return borrowed, until the exec is freed. It is always the same number, unless the host has closed it. -1 if
 *         `exec` is NULL or no descriptor is available.
 */
FW_API int fw_exec_fd(fw_exec *exec);

/**
 * Takes the next event of a step.
 *
 * The first event is FW_EVENT_STEP_STARTED and the last is FW_EVENT_STEP_ENDED. In between, each command has a
 * started event, its output, and an ended event. Output of both streams comes in the order in which it was read,
 * which approximates the order of writing. Events that happen during fw_exec_wait() are discarded. If `events` is
 * `none`, there are no output events.
 *
 * Blocks up to `timeout`. Two threads that call it at the same time get different events.
 *
 * @param timeout    how many seconds to wait for an event. 0: do not wait. Negative: no limit.
 * @param[out] event owned by the caller; release it with fw_event_free(). NULL if no event came in that time, and
 *                   after the last event.
 */
FW_API fw_status fw_exec_next_event(fw_exec *exec, double timeout, fw_event **event, fw_error **error) FW_MUSTUSE;

/**
 * Waits for the end of a step. Blocks up to `timeout`; the step continues after that.
 *
 * @param timeout     how many seconds to wait. 0: do not wait. Negative: no limit.
 * @param[out] result owned by the caller; release it with fw_result_free(). NULL if the step has not ended in that
 *                    time. After the step has ended, each call gives a result.
 */
FW_API fw_status fw_exec_wait(fw_exec *exec, double timeout, fw_result **result, fw_error **error) FW_MUSTUSE;

/**
 * Cancels a step: its processes get SIGTERM and, after the grace, SIGKILL. No further command or attempt begins. A
 * command that had already ended keeps its status.
 *
 * The call does not wait. When the processes have ended, fw_exec_wait() gives a result with the outcome FW_CANCELLED.
 * If the step has already ended, nothing happens.
 *
 * @param exec may be NULL. Other threads may be waiting for it.
 */
FW_API void fw_exec_cancel(fw_exec *exec);

/**
 * Writes to the standard input of the running command of a step whose `stdin` is `host`.
 *
 * The bytes that were taken reach the command in the order of the calls, and no signal is raised (SIGPIPE). If two
 * threads write at once, the bytes of one call can stand between those of the other: such threads need a lock of their
 * own. A command that never reads takes as many as its pipe can hold. The input stays open until fw_exec_close_input().
 *
 * Blocks up to `timeout`, until all bytes were taken. It returns earlier, with fewer bytes, if there are events to take
 * and the calling thread was the last one that called fw_exec_next_event(): take them, and write the rest. This holds
 * for each `timeout`, and also if `events` is `none`. Meanwhile the step advances as in fw_exec_wait(). If no thread
 * has called fw_exec_next_event() for this exec, events that happen meanwhile are discarded; otherwise they are kept,
 * and no output is read while there are events to take. A host that wants all events takes the first one before it
 * writes.
 *
 * If fewer bytes were taken, the descriptor of fw_exec_fd() also becomes readable when there is room for more, or when
 * the input has ended. It does so until the next call of this function. After a call that took all bytes the descriptor
 * says nothing about room, so a host with more to write calls again before it waits for the descriptor.
 *
 * @param bytes      any bytes. May be NULL if `length` is 0.
 * @param length     their number, or FW_ZERO_TERMINATED.
 * @param timeout    how many seconds to wait. 0: do not wait, and take what there is room for; the step does not
 *                   advance by that. Negative: no limit.
 * @param[out] taken the number of bytes that were taken, from the first one on. It is set in every case, also if the
 *                   call fails. May be NULL.
 *
 * @retval FW_E_ENDED   the command has ended or has closed its input, or fw_exec_close_input() was called. (An engine
 *                      does not tell that a command in a container has closed its input.)
 * @retval FW_E_INVALID `stdin` of the step is not `host`.
 */
FW_API fw_status fw_exec_write(fw_exec *exec, const char *bytes, size_t length, double timeout, size_t *taken,
                               fw_error **error) FW_MUSTUSE;

/**
 * Ends the standard input of the command of a step whose `stdin` is `host`. The command reads all bytes that were
 * taken, and then the end. If the input has already ended, nothing happens, and the status is FW_OK.
 *
 * @retval FW_E_INVALID `stdin` of the step is not `host`.
 */
FW_API fw_status fw_exec_close_input(fw_exec *exec, fw_error **error) FW_MUSTUSE;

/**
 * Sends a signal to the running command. The step does not end by it: if the command ends, the next one follows or the
 * step has failed, as after any end. fw_exec_cancel() ends a step.
 *
 * The command is the one that runs at the time of the call, which can be a later one than the last event speaks of. It
 * counts as running until the library has read its end. FW_OK means that the signal was sent, and not that a process
 * has handled it: the command can just have ended.
 *
 * @param signal a signal number, from 1 to 64.
 * @param target FW_SIGNAL_MAIN or FW_SIGNAL_TREE.
 *
 * @retval FW_E_ENDED       no command is running.
 * @retval FW_E_INVALID     `signal` or `target` is none of these numbers.
 * @retval FW_E_UNSUPPORTED the engine, or this kind of step, cannot send this signal to these processes.
 */
FW_API fw_status fw_exec_signal(fw_exec *exec, int32_t signal, fw_signal_target target, fw_error **error) FW_MUSTUSE;

/**
 * Stores a pointer of the host's in an exec, so that a loop over many execs finds what belongs to each. The library
 * neither reads nor releases what the pointer points to. A later call replaces the pointer.
 *
 * @param exec may be NULL; then nothing happens.
 * @param data any pointer; may be NULL.
 */
FW_API void fw_exec_set_data(fw_exec *exec, void *data);

/** Returns the pointer that fw_exec_set_data() stored last; NULL if there is none. */
FW_API void *fw_exec_data(const fw_exec *exec);

/**
 * Releases an exec. A step that has not ended is cancelled without waiting: the supervisor ends its processes with
 * SIGTERM and, after the grace, SIGKILL.
 */
FW_API void fw_exec_free(fw_exec *exec);

/* -------------------------------------------------------------- workflows -- */

/**
 * Reads a workflow: the document of a flowServ template, or the part of it under `workflow`.
 *
 * @param json          a JSON object with `steps` and, optionally, `files` and `parameters`. References such as
 *                      `$[[name]]` stand for arguments. docs/reference/workflow.md has the grammar.
 * @param length        the length of `json`.
 * @param[out] workflow owned by the caller; release it with fw_workflow_free().
 *
 * @retval FW_E_SYNTAX   the text is not JSON.
 * @retval FW_E_DOCUMENT the document is not a workflow. Examples: an invalid step, two steps with the same name, a
 *                       file key that leads out of its volume, a reference to a parameter that does not exist.
 */
FW_API fw_status fw_workflow_create(const char *json, size_t length, fw_workflow **workflow,
                                    fw_error **error) FW_MUSTUSE;

/** Releases a workflow. Runs of it continue. */
FW_API void fw_workflow_free(fw_workflow *workflow);

/**
 * Runs a workflow and returns when it has ended. It is fw_workflow_start() without events, followed by
 * fw_exec_wait().
 *
 * For each step, the library finds its worker as fw_pool_get() does, copies the inputs into the worker's volume unless
 * it has their latest version, creates the folders of the outputs, runs the step, and records that the volume has the
 * latest version of the outputs. Up to `jobs` steps run at once, each when what it needs is there. When a step has
 * failed, nothing else starts, unless `fail` says otherwise. If all have succeeded, the outputs of the workflow are
 * copied into the run directory.
 *
 * Return code, outcome and message of the result are those of the step that failed first in time, else those of the
 * last step. Its output is that of all steps, in the order of the document and of their instances; fw_result_step()
 * gives the result of each.
 *
 * Blocks until the workflow has ended. Any number of threads may run the same workflow.
 *
 * @param pool        its workers, volumes and functions are used. NULL: the default workers.
 * @param context     the arguments for the workflow's parameters. The values to which the steps can refer are stored
 *                    in it, and so are the values of functions. NULL: no arguments.
 * @param rundir      the path of the default volume's directory, which is created if it does not exist. NULL: the
 *                    directory of the volume `__default__` of the pool or of the options; FW_E_INVALID if there is
 *                    no such volume.
 * @param options     a JSON object: `jobs` (how many steps may run at once; 1 if it is missing), `fail` (what happens
 *                    when a step fails), `results` (which results are kept), `deadline` (seconds for the whole
 *                    workflow), `state` (a directory that lets an interrupted run be resumed), `volumes` (an array of
 *                    volumes that this run uses instead of the pool's), `resources` (an object of totals that this run
 *                    has for itself, instead of the pool's of the same names), and `timeout`, `output_limit`, `spill`,
 *                    `retries`, `placeholders` and `success_codes` for each step. NULL: none.
 * @param length      the length of `options`.
 * @param[out] result owned by the caller; release it with fw_result_free().
 *
 * @retval FW_E_UNKNOWN   a step is mapped to a worker, or a worker to a volume, that the pool does not have.
 * @retval FW_E_STEP_TYPE the worker of a step does not run steps of its type. This and FW_E_TEMPLATE are found for
 *                        all steps before the first one runs; the path points to the step.
 * @retval FW_E_TEMPLATE  a command cannot be expanded.
 * @retval FW_E_DOCUMENT  an argument is missing, unknown or of a wrong type, or `options` has a wrong key or value.
 */
FW_API fw_status fw_workflow_run(const fw_workflow *workflow, fw_pool *pool, fw_context *context, const char *rundir,
                                 const char *options, size_t length, fw_result **result, fw_error **error) FW_MUSTUSE;

/**
 * Starts a workflow and returns immediately. Its exec is used like that of fw_exec_start(). Its events are those of
 * its steps, and some of its own. Local files are copied in pieces of a few milliseconds, during the calls that take
 * events or wait.
 *
 * @param options   as for fw_workflow_run(), and `events` as for fw_exec_start(). NULL: none.
 * @param length    the length of `options`.
 * @param[out] exec owned by the caller; release it with fw_exec_free().
 *
 * @retval FW_E_UNKNOWN as for fw_workflow_run(); FW_E_STEP_TYPE, FW_E_TEMPLATE and FW_E_DOCUMENT likewise.
 */
FW_API fw_status fw_workflow_start(const fw_workflow *workflow, fw_pool *pool, fw_context *context, const char *rundir,
                                   const char *options, size_t length, fw_exec **exec, fw_error **error) FW_MUSTUSE;

/**
 * Describes how a workflow would run, without running it: which step waits for which others and why, which steps are
 * barriers, and how many steps could run at once. No process is started, no volume is opened, no file is looked for,
 * and no engine or scheduler is contacted. Secrets are masked.
 *
 * docs/reference/results.md has the grammar of the document, and docs/reference/workflow.md the rules. Parameters and
 * codes are those of fw_workflow_start(), with these differences.
 *
 * @param rundir    it need not exist. NULL: the directory of the volume `__default__`, which need not exist either.
 * @param[out] json owned by the caller; release it with fw_string_free().
 *
 * @retval FW_E_DOCUMENT steps wait for each other; a step names one that does not exist in `after`; or two instances of
 *                       a step write one key. fw_workflow_start() refuses these, too.
 */
FW_API fw_status fw_workflow_plan(const fw_workflow *workflow, fw_pool *pool, fw_context *context, const char *rundir,
                                  const char *options, size_t length, char **json, fw_error **error) FW_MUSTUSE;

/* ----------------------------------------------------------------- events -- */

/** Returns the kind of an event: FW_EVENT_STEP_STARTED or one of the other FW_EVENT_ numbers. */
FW_API int32_t fw_event_kind(const fw_event *event);

/**
 * Returns the name that a kind of event has in JSON.
 *
 * @return borrowed, valid forever: `step_started`, `command_started`, `output`, `command_ended`, `retry`, `step_ended`,
 *         `progress`, `run_started`, `run_ended`, `file_copied` or `step_restored`; NULL for any other number.
 */
FW_API const char *fw_event_kind_name(int32_t kind);

/**
 * Returns the number of an event within its execution.
 *
 * @return the number, from 1, rising by 1 from one event to the next. A gap means that another thread has taken
 *         events or that fw_exec_wait() has discarded them.
 */
FW_API uint64_t fw_event_sequence(const fw_event *event);

/** Returns the time of an event in seconds since 1970-01-01 00:00 UTC. For output it is the time of reading. */
FW_API double fw_event_time(const fw_event *event);

/** Returns the index, from 0, of the command that an event is about; -1 if the event is about the whole step. */
FW_API int32_t fw_event_command(const fw_event *event);

/** Returns the index, from 0, of the step that an event is about; -1 if the event is about the whole workflow or no
 *  workflow is running. */
FW_API int32_t fw_event_step(const fw_event *event);

/** Returns the number, from 0, of the instance that an event is about; -1 if its step has no `foreach`. */
FW_API int64_t fw_event_instance(const fw_event *event);

/**
 * Returns the name of the step that an event is about.
 *
 * @return borrowed, until the event is freed; NULL if the event is about the whole workflow.
 */
FW_API const char *fw_event_step_name(const fw_event *event);

/** Returns the number, from 1, of the attempt in which an event happened. */
FW_API int32_t fw_event_attempt(const fw_event *event);

/** Returns the stream of an output event, FW_STDOUT or FW_STDERR; 0 for any other event. */
FW_API fw_stream fw_event_stream(const fw_event *event);

/**
 * Returns the output of an event.
 *
 * If `events` is `chunks`, it is what one read returned: any bytes. If it is `text`, the output is whole characters:
 * a character that arrived in two parts is in the event of the second part, and bytes that are not UTF-8 are replaced
 * by U+FFFD. If it is `lines`, the output is one line of such text without its end (LF or CR LF). A line longer than
 * 64 KiB comes in several events. Text after the last line end is a line as well.
 *
 * @param[out] length the number of bytes; may be NULL.
 * @return borrowed, until the event is freed. It is followed by a NUL that is not counted. NULL for an event without
 *         output.
 */
FW_API const char *fw_event_data(const fw_event *event, size_t *length);

/** Returns 1 if the line of an event continues in the next event of its stream (lines longer than 64 KiB);
 *  otherwise 0. */
FW_API int32_t fw_event_is_continued(const fw_event *event);

/**
 * Gives an event as JSON: all properties above and, depending on its kind, the text and process of a command that
 * started, what the result says about a command that ended, the reason and delay of a retry, or the outcome of the
 * step.
 */
FW_API fw_status fw_event_to_json(const fw_event *event, char **json, fw_error **error) FW_MUSTUSE;

/** Releases an event. */
FW_API void fw_event_free(fw_event *event);

/* ---------------------------------------------------------------- results -- */

/** Returns the name of the step that a result belongs to; NULL for the result of a workflow. */
FW_API const char *fw_result_name(const fw_result *result);

/** Returns the index, from 0, that the step of a result has in its workflow, as fw_event_step() has it; -1 for the
 *  result of a workflow, and of a step that was run by itself. */
FW_API int32_t fw_result_index(const fw_result *result);

/** Returns the number, from 0, of the instance that a result belongs to; -1 if its step has no `foreach`. */
FW_API int64_t fw_result_instance(const fw_result *result);

/**
 * Returns the return code; 0 is success.
 *
 * @return 0 if the last command that ran has succeeded; otherwise its exit status, or 1 if that is 0 and not one of the
 *         `success_codes`; -N if it was ended by signal N; 1 if a command could not be started or `result` is NULL.
 *         After a timeout or a cancellation it is the code of the command that was ended, but never 0.
 */
FW_API int32_t fw_result_returncode(const fw_result *result);

/** Returns how a step ended: FW_EXITED or one of the numbers after it; FW_STATUS_UNKNOWN for NULL. */
FW_API fw_outcome fw_result_outcome(const fw_result *result);

/**
 * Returns the name that an outcome has in JSON.
 *
 * @return borrowed, valid forever: `exited`, `signaled`, `timeout`, `cancelled`, `oom`, `spawn_failed`,
 *         `engine_failed`, `output_missing`, `status_unknown`, `input_missing` or `volume_failed`; NULL for any other
 *         number.
 */
FW_API const char *fw_outcome_name(fw_outcome outcome);

/**
 * Returns in one line why a step failed: the step, the command, what happened, and the last line that the command
 * wrote to standard error. A successful step has a message only if its output is not complete (the end of a stream was
 * not seen, memory ran out, or a `spill` file is not complete), and a workflow also if its state could not be stored.
 *
 * @return borrowed, until the result is freed; NULL if there is nothing to report.
 */
FW_API const char *fw_result_message(const fw_result *result);

/**
 * Returns whether output of a step may be missing because the end of a stream was not seen: the connection to an
 * engine was lost, or stayed silent after the end of the command, or a pipe could not be read to its end. Output that
 * an `output_limit` removed is reported by fw_result_output_cut() instead.
 *
 * @param stream FW_STDOUT or FW_STDERR; any other number gives 0.
 * @return 1 if output of the last attempt on this stream may be missing (for a workflow: of any step); otherwise 0.
 */
FW_API int32_t fw_result_output_incomplete(const fw_result *result, fw_stream stream);

/**
 * Returns the number of pieces of output on a stream.
 *
 * @param stream FW_STDOUT or FW_STDERR; any other number gives 0.
 * @return the number of commands that wrote to the stream. A command that could not be started has a piece on
 *         FW_STDERR: the message that says why.
 */
FW_API size_t fw_result_output_count(const fw_result *result, fw_stream stream);

/**
 * Returns one piece of output: all bytes that one command wrote to one stream.
 *
 * @param stream      FW_STDOUT or FW_STDERR.
 * @param index       the index of the piece, from 0.
 * @param[out] length the number of bytes, 0 if there is no such piece; may be NULL.
 * @return borrowed, until the result is freed. It is followed by a NUL that is not counted. NULL if there is no such
 *         piece.
 */
FW_API const char *fw_result_output(const fw_result *result, fw_stream stream, size_t index, size_t *length);

/**
 * Returns how many bytes of a piece of output are missing because they exceeded an `output_limit` or the available
 * memory.
 *
 * @param stream  FW_STDOUT or FW_STDERR; any other number gives 0.
 * @param index   the index of the piece, from 0.
 * @param[out] at the offset in the piece at which the bytes are missing, or the length of the piece if they are
 *                missing at its end or none are; 0 if there is no such piece. May be NULL.
 * @return the number of missing bytes; 0 if none are missing or there is no such piece.
 */
FW_API size_t fw_result_output_cut(const fw_result *result, fw_stream stream, size_t index, size_t *at);

/** Returns when a step or a workflow began, in seconds since 1970-01-01 00:00 UTC. */
FW_API double fw_result_started(const fw_result *result);

/** Returns how long a step or a workflow took, in seconds. Retries and the delays before them are included. */
FW_API double fw_result_duration(const fw_result *result);

/**
 * Returns the number of commands that ran or could not be started, in the last attempt of a step. It is the length of
 * the range in which the fw_result_command_ functions take an index, from 0.
 *
 * A function and a notebook are one command. A workflow has no commands of its own: ask the results of its steps.
 */
FW_API size_t fw_result_command_count(const fw_result *result);

/** Returns the text of a command after substitution, with secrets masked; of a function or a notebook, its name. The
 *  words of a command without a shell are quoted where a shell would need it. NULL if there is no such command. */
FW_API const char *fw_result_command_text(const fw_result *result, size_t index);

/** Returns how a command ended; FW_STATUS_UNKNOWN if there is no such command. */
FW_API fw_outcome fw_result_command_outcome(const fw_result *result, size_t index);

/** Returns the exit status of a command, from 0 to 255; -1 if it has none: it was ended by a signal, could not be
 *  started, its status is unknown, or there is no such command. */
FW_API int32_t fw_result_command_exit_code(const fw_result *result, size_t index);

/** Returns the number of the signal that ended a command; 0 if no signal did, or there is no such command. */
FW_API int32_t fw_result_command_signal(const fw_result *result, size_t index);

/** Returns the process number of a command; 0 if it has none on this machine (a command in a container, or a host
 *  function), it could not be started, or there is no such command. */
FW_API int32_t fw_result_command_pid(const fw_result *result, size_t index);

/** Returns when a command began, in seconds since 1970-01-01 00:00 UTC; 0 if there is no such command. */
FW_API double fw_result_command_started(const fw_result *result, size_t index);

/** Returns how long a command took, in seconds; 0 if it could not be started or there is no such command. */
FW_API double fw_result_command_duration(const fw_result *result, size_t index);

/** Returns the processor time that a command spent in its programs, in seconds; -1 if it is not known. It is that of
 *  the main process and of those that it has waited for. */
FW_API double fw_result_command_user_time(const fw_result *result, size_t index);

/** Returns the processor time that the system spent for the same processes, in seconds; -1 if it is not known. */
FW_API double fw_result_command_system_time(const fw_result *result, size_t index);

/** Returns the peak memory of a command in bytes, which is the largest resident size that one of these processes had;
 *  -1 if it is not known. */
FW_API int64_t fw_result_command_peak_memory(const fw_result *result, size_t index);

/** Returns the number of other processes that were running when a command's main process ended, or at a timeout or a
 *  cancellation. fw_result_to_json() lists the first 32 of them. */
FW_API size_t fw_result_command_survivor_count(const fw_result *result, size_t index);

/** Returns 0 if something of a command may still be running (`is_ended` in docs/reference/results.md lists the cases);
 *  otherwise 1. Returns 1 if there is no such command. */
FW_API int32_t fw_result_command_is_ended(const fw_result *result, size_t index);

/**
 * Returns all output of one command on one stream that the result has, whereas fw_result_output() counts only commands
 * that wrote something.
 *
 * @param index       the index of the command, from 0.
 * @param stream      FW_STDOUT or FW_STDERR.
 * @param[out] length the number of bytes, 0 if there is no such command or stream; may be NULL.
 * @return borrowed, until the result is freed. It is followed by a NUL that is not counted. NULL if there is no such
 *         command or stream.
 */
FW_API const char *fw_result_command_output(const fw_result *result, size_t index, fw_stream stream, size_t *length);

/** Returns the number of bytes that a command wrote to a stream, including those that an `output_limit` removed. */
FW_API uint64_t fw_result_command_output_size(const fw_result *result, size_t index, fw_stream stream);

/** Returns the number of step results in the result of a workflow, including steps that an earlier run completed; 0
 *  for the result of a step. */
FW_API size_t fw_result_step_count(const fw_result *result);

/**
 * Returns the result of one step of a workflow.
 *
 * @param index the index of the step, from 0.
 * @return borrowed, until the result of the workflow is freed; do not free it. NULL if there is no such step.
 */
FW_API const fw_result *fw_result_step(const fw_result *result, size_t index);

/**
 * Gives a view of a result for people: what ran when, how it ended, and what it wrote last.
 *
 * @param result     the result of a step or a workflow.
 * @param format     `trace`: JSON in the Trace Event Format, for Perfetto and Chrome's about:tracing. `html`: one
 *                   self-contained page without a script: what the run was, how it ended and why, where time went, and
 *                   each step with its attempts and their output. Its size is bounded.
 * @param[out] text  owned by the caller; release it with fw_string_free().
 *
 * @retval FW_E_UNKNOWN there is no such format.
 */
FW_API fw_status fw_result_view(const fw_result *result, const char *format, char **text, fw_error **error) FW_MUSTUSE;

/** Gives a result as JSON: all properties above and, for each command, its text, status, times, resource usage and
 *  the processes that it left running. Bytes that are not UTF-8 are replaced by U+FFFD. */
FW_API fw_status fw_result_to_json(const fw_result *result, char **json, fw_error **error) FW_MUSTUSE;

/** Releases a result. */
FW_API void fw_result_free(fw_result *result);

#ifdef __cplusplus
}
#endif

#endif
