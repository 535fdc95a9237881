/*
 * A function of the host may be C++. An exception that leaves it, or a thread that it ends, is a failure of its step.
 * An exception of a callback is not the end of the host either.
 */
#include <flowworker.h>
#include <jansson.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <pthread.h>
#include <semaphore.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

/* function_throws_libcxx.sh builds this program with another C++ runtime than the library's. With FOREIGN_EXCEPTIONS,
 * it has that runtime in itself, and the library cannot read its exceptions. */
#ifdef FOREIGN_EXCEPTIONS
static const bool is_foreign = true;
#else
static const bool is_foreign = false;
#endif
#ifdef _LIBCPP_VERSION
static const bool is_libcxx = true;
#else
static const bool is_libcxx = false;
#endif

static const std::string unknown = "an exception that is not a std::exception, or is one of another C++ runtime";

static std::atomic<int> failures;

#define CHECK(condition) check((condition), #condition, __LINE__)
#define CHECK_HAS(text, part) check_has((text), (part), __LINE__)

static void check(bool holds, const char *what, int line)
{
    if (holds)
        return;
    failures++;
    std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, line, what);
}

/** What a message has of an exception. */
static std::string seen(const std::string &text)
{
    return is_foreign ? unknown : text;
}

static void check_has(const std::string &text, const std::string &part, int line)
{
    if (text.find(part) != std::string::npos)
        return;
    failures++;
    std::fprintf(stderr, "%s:%d: no \"%.300s\" in: %.2000s\n", __FILE__, line, part.c_str(), text.c_str());
}

namespace host
{
class failure : public std::exception
{
  public:
    explicit failure(const char *text) : text(text)
    {
    }
    const char *what() const noexcept override
    {
        return text;
    }

  private:
    const char *text;
};

struct odd {};
} // namespace host

using action = void (*)(fw_call *);

/** The function that is registered; its payload says what it does. */
static void act(fw_call *call, void *payload)
{
    (*static_cast<action *>(payload))(call);
}

static const char *rundir()
{
    const char *place = std::getenv("TMPDIR");
    return place == nullptr ? "/tmp" : place;
}

static fw_pool *pool_with(action *what)
{
    fw_pool *pool = nullptr;
    CHECK(fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, nullptr) == FW_OK);
    CHECK(fw_function_register(pool, "f", nullptr, 0, act, what, nullptr, nullptr) == FW_OK);
    return pool;
}

static fw_exec *start(fw_pool *pool, fw_context *context, const char *options)
{
    fw_step *step = nullptr;
    const fw_worker *worker = nullptr;
    fw_exec *exec = nullptr;
    CHECK(fw_step_create("{\"name\": \"s\", \"action\": {\"func\": \"f\", \"arg\": \"x\"}}", FW_ZERO_TERMINATED, &step,
                         nullptr) == FW_OK);
    CHECK(fw_pool_get(pool, step, &worker, nullptr) == FW_OK);
    CHECK(fw_exec_start(worker, step, context, rundir(), options, FW_ZERO_TERMINATED, &exec, nullptr) == FW_OK);
    fw_step_free(step);
    return exec;
}

static fw_result *finish(fw_exec *exec)
{
    fw_result *result = nullptr;
    CHECK(fw_exec_wait(exec, 60, &result, nullptr) == FW_OK && result != nullptr);
    fw_exec_free(exec);
    if (result == nullptr)
        std::exit(1);
    return result;
}

static fw_result *run(action what, fw_context *context = nullptr, const char *options = nullptr)
{
    fw_pool *pool = pool_with(&what);
    fw_result *result = finish(start(pool, context, options));
    fw_pool_free(pool);
    return result;
}

static json_t *json_of(const fw_result *result)
{
    char *text = nullptr;
    CHECK(fw_result_to_json(result, &text, nullptr) == FW_OK);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, nullptr);
    fw_string_free(text);
    return json;
}

/** The function fails the step with this class and text, and the message of the result has `shown`. */
static void fails(action what, const std::string &type, const std::string &text, const std::string &shown, int line)
{
    fw_result *result = run(what);
    check(fw_result_outcome(result) == FW_EXITED && fw_result_returncode(result) == 1, "a failed call", line);
    const char *message = fw_result_message(result);
    check_has(message == nullptr ? "" : message, seen(shown), line);
    check(message != nullptr && std::strpbrk(message, "\r\n\033") == nullptr && std::strlen(message) < 5000,
          "the message is one short line", line);
    json_t *json = json_of(result), *exception = json_object_get(json, "exception");
    const char *got_type = json_string_value(json_object_get(exception, "type"));
    const char *got_text = json_string_value(json_object_get(exception, "message"));
    check(got_type != nullptr && got_type == (is_foreign ? "Error" : type), got_type ? got_type : "(no type)", line);
    check(got_text != nullptr && got_text == seen(text), got_text ? got_text : "(no message)", line);
    json_decref(json);
    fw_result_free(result);
}

#define FAILS(what, type, text, shown) fails([](fw_call *) { what; }, (type), (text), (shown), __LINE__)

static void each_kind_of_exception()
{
    FAILS(throw std::runtime_error("boom"), "std::runtime_error", "boom",
          "the function \"f\" raised std::runtime_error: boom");
    FAILS(throw host::failure("its own words"), "host::failure", "its own words",
          "raised host::failure: its own words");
    FAILS(throw std::bad_alloc(), "std::bad_alloc", "std::bad_alloc", "raised std::bad_alloc");
    FAILS(throw host::failure(nullptr), "host::failure", "", "raised host::failure");
    FAILS(throw host::failure(""), "host::failure", "", "raised host::failure");
    FAILS(throw host::failure("a\xff z"), "host::failure", "a\xef\xbf\xbd z", "host::failure: a");
    FAILS(throw host::failure("one\r\ntwo\033[1m"), "host::failure", "one\r\ntwo\033[1m", "host::failure: one two");
    FAILS(throw "text", "Error", "text", "raised Error: text");
    FAILS(throw std::string("text"), "Error", is_libcxx ? unknown : "text", is_libcxx ? unknown : "raised Error: text");
    FAILS(throw 42, "Error", unknown, "raised Error: " + unknown);
    FAILS(throw host::odd(), "Error", unknown, "raised Error: " + unknown);
    FAILS(throw std::runtime_error(std::string(1 << 20, 'x') + "end"), "std::runtime_error",
          std::string(1 << 20, 'x') + "end", "end");
    FAILS(
        try { throw std::runtime_error("inner"); } catch (...) { std::throw_with_nested(std::logic_error("outer")); },
        is_libcxx ? "std::__nested<std::logic_error>" : "std::_Nested_exception<std::logic_error>", "outer", "outer");
}

/** What a function has written before counts, and a value that it has given does not. */
static void exception_is_the_last_word()
{
    fw_context *context = nullptr;
    CHECK(fw_context_create(nullptr, 0, &context, nullptr) == FW_OK);
    fw_result *result = run(
        [](fw_call *call) {
            CHECK(fw_call_write(call, FW_STDOUT, "before", FW_ZERO_TERMINATED, nullptr) == FW_OK);
            CHECK(fw_call_return(call, "1", FW_ZERO_TERMINATED, nullptr) == FW_OK);
            throw std::runtime_error("after");
        },
        context);
    CHECK(fw_result_returncode(result) == 1);
    const char *output = fw_result_output(result, FW_STDOUT, 0, nullptr);
    CHECK(output != nullptr && std::strcmp(output, "before") == 0);
    CHECK_HAS(fw_result_message(result), seen("after"));
    fw_result_free(result);
    char *value = nullptr;
    CHECK(fw_context_get(context, "x", &value, nullptr) == FW_E_UNKNOWN);
    fw_context_free(context);
}

/** A failure of this kind is repeated like any other. */
static void exceptions_are_repeated()
{
    static int calls;
    calls = 0;
    fw_result *result = run([](fw_call *) { throw std::runtime_error(std::to_string(++calls)); }, nullptr,
                            "{\"retries\": {\"max\": 2, \"delay\": 0}}");
    CHECK(calls == 3);
    CHECK_HAS(fw_result_message(result), seen("std::runtime_error: 3"));
    fw_result_free(result);
}

/** Functions on many threads, and a function whose own step throws. */
static void exceptions_at_once()
{
    static action throws = [](fw_call *) { throw host::failure("inner"); };
    static action nests = [](fw_call *call) {
        fw_result *result = run(throws);
        std::string message = fw_result_message(result);
        fw_result_free(result);
        CHECK(fw_call_write(call, FW_STDOUT, message.data(), message.size(), nullptr) == FW_OK);
        throw host::failure("outer");
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back([] {
            for (int k = 0; k < 10; k++) {
                fw_result *result = run(nests);
                CHECK_HAS(fw_result_message(result), seen("outer"));
                CHECK_HAS(fw_result_output(result, FW_STDOUT, 0, nullptr), seen("inner"));
                fw_result_free(result);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
}

static sem_t begun, gate, ended;

/** A function that its step has given up may still throw. */
static void exception_after_the_end()
{
    static action what = [](fw_call *) {
        if (sem_wait(&gate) == 0)
            throw std::runtime_error("late");
    };
    fw_pool *pool = nullptr;
    CHECK(fw_pool_create("[{\"name\": \"w\", \"type\": \"code\", \"options\": {\"grace\": 0}}]", FW_ZERO_TERMINATED,
                         &pool, nullptr) == FW_OK);
    CHECK(fw_function_register(pool, "f", nullptr, 0, act, &what, [](void *) { sem_post(&ended); }, nullptr) == FW_OK);
    fw_result *result = finish(start(pool, nullptr, "{\"timeout\": 0.05}"));
    CHECK(fw_result_outcome(result) == FW_TIMEOUT);
    fw_result_free(result);
    fw_pool_free(pool);
    sem_post(&gate);
    /* The function is released when its call has ended. */
    CHECK(sem_wait(&ended) == 0);
}

static std::atomic<int> released;

static void throwing_release(void *)
{
    released++;
    throw std::runtime_error("from a release");
}

static void exceptions_of_releases()
{
    fw_pool *pool = nullptr;
    fw_context *context = nullptr;
    CHECK(fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, nullptr) == FW_OK);
    CHECK(fw_context_create(nullptr, 0, &context, nullptr) == FW_OK);
    CHECK(fw_function_register(pool, "f", nullptr, 0, act, nullptr, throwing_release, nullptr) == FW_OK);
    CHECK(fw_function_register(pool, "f", nullptr, 0, act, nullptr, throwing_release, nullptr) == FW_OK);
    CHECK(released == 1);
    CHECK(fw_function_register(pool, "", nullptr, 0, act, nullptr, throwing_release, nullptr) == FW_E_INVALID);
    CHECK(released == 2);
    fw_pool_free(pool);
    CHECK(released == 3);
    CHECK(fw_context_set_function(context, act, nullptr, throwing_release, nullptr) == FW_OK);
    CHECK(fw_context_set_function(context, nullptr, nullptr, throwing_release, nullptr) == FW_E_INVALID);
    CHECK(released == 4);
    fw_context_free(context);
    CHECK(released == 5);
}

/** The callback of a cancellation may throw as well: the result says so. */
static void exception_of_a_notice()
{
    action early = [](fw_call *call) {
        CHECK(fw_call_on_cancel(
                  call, [](void *) { throw std::runtime_error("from a callback"); }, nullptr, nullptr) == FW_OK);
        sem_post(&begun);
        while (!fw_call_is_cancelled(call))
            usleep(1000);
    };
    action late = [](fw_call *call) {
        sem_post(&begun);
        while (!fw_call_is_cancelled(call))
            usleep(1000);
        CHECK(fw_call_on_cancel(
                  call, [](void *) { throw std::runtime_error("from a callback"); }, nullptr, nullptr) == FW_OK);
    };
    for (action what : {early, late}) {
        fw_pool *pool = pool_with(&what);
        fw_exec *exec = start(pool, nullptr, nullptr);
        CHECK(sem_wait(&begun) == 0);
        fw_exec_cancel(exec);
        fw_result *result = finish(exec);
        CHECK(fw_result_outcome(result) == FW_CANCELLED);
        json_t *json = json_of(result);
        const char *note = json_string_value(json_array_get(json_object_get(json, "notes"), 0));
        CHECK_HAS(note == nullptr ? "" : note, seen("raised std::runtime_error: from a callback"));
        json_decref(json);
        fw_result_free(result);
        fw_pool_free(pool);
    }
}

/** Counts the destructors that run when a thread ends. */
struct counted {
    static std::atomic<int> gone;
    ~counted()
    {
        gone++;
    }
};
std::atomic<int> counted::gone;

static pthread_t function_thread;

/** Waits in the kernel; under tsan, whose own part of such a call must not be cancelled, in a loop. */
static void wait_for_cancel()
{
#if defined(__SANITIZE_THREAD__)
    pthread_testcancel();
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    pthread_testcancel();
#else
    pause();
#endif
#else
    pause();
#endif
}

/** Runs a function that waits, and cancels its thread. */
static fw_result *cancel_thread(action what)
{
    fw_pool *pool = pool_with(&what);
    fw_exec *exec = start(pool, nullptr, nullptr);
    CHECK(sem_wait(&begun) == 0);
    CHECK(pthread_cancel(function_thread) == 0);
    fw_result *result = finish(exec);
    fw_pool_free(pool);
    return result;
}

static void threads_that_end()
{
    fw_result *result = run([](fw_call *call) {
        counted object;
        CHECK(fw_call_return(call, "1", FW_ZERO_TERMINATED, nullptr) == FW_OK);
        pthread_exit(nullptr);
    });
    CHECK(fw_result_outcome(result) == FW_EXITED && fw_result_returncode(result) == 1);
    CHECK_HAS(fw_result_message(result), "the function \"f\" did not return: its thread was ended");
    CHECK(counted::gone == 1);
    fw_result_free(result);

    result = cancel_thread([](fw_call *) {
        counted object;
        function_thread = pthread_self();
        sem_post(&begun);
        for (;;)
            wait_for_cancel();
    });
    CHECK(fw_result_outcome(result) == FW_EXITED && fw_result_returncode(result) == 1);
    CHECK_HAS(fw_result_message(result), "the function \"f\" did not return: its thread was ended");
    CHECK(counted::gone == 2);
    fw_result_free(result);

    /* The functions of a call are no cancellation points: none of their locks stays locked. */
    result = cancel_thread([](fw_call *call) {
        counted object;
        function_thread = pthread_self();
        sem_post(&begun);
        std::string block(1 << 18, 'x');
        for (int i = 0; i < 4; i++)
            CHECK(fw_call_write(call, FW_STDOUT, block.data(), block.size(), nullptr) == FW_OK);
        for (;;)
            pthread_testcancel();
    });
    CHECK(fw_result_returncode(result) == 1);
    size_t length = 0;
    CHECK(fw_result_output(result, FW_STDOUT, 0, &length) != nullptr);
    CHECK(length == 4u << 18);
    CHECK(counted::gone == 3);
    fw_result_free(result);
}

int main()
{
    CHECK(sem_init(&begun, 0, 0) == 0 && sem_init(&gate, 0, 0) == 0 && sem_init(&ended, 0, 0) == 0);
    each_kind_of_exception();
    exception_is_the_last_word();
    exceptions_are_repeated();
    exceptions_at_once();
    exception_after_the_end();
    exceptions_of_releases();
    exception_of_a_notice();
    /* With glibc and LLVM's libunwind, pthread_exit() ends any program that has a frame of C++ on the stack: glibc
     * unwinds with libgcc, and libc++ reads what it finds there with libunwind. */
    if (!is_libcxx || is_foreign)
        threads_that_end();
    if (failures > 0)
        std::fprintf(stderr, "%d checks failed\n", failures.load());
    return failures > 0 ? 1 : 0;
}
