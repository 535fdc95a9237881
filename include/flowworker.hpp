/*
 * flowworker.hpp - the C++ form of flowworker.h: header-only, C++17, namespace flowworker.
 *
 *     flowworker::pool pool;
 *     flowworker::step step(R"({"name": "hello", "action": {"environment": "", "commands": ["echo Hello"]}})");
 *     flowworker::result result = pool.get(step).exec(step, "/tmp");
 *     std::cout << result.output(flowworker::stream::out);
 *
 * flowworker.h says what each function does. This header says only what is different in C++:
 *
 *   - A call that fails throws flowworker::error. A step that fails is an ordinary result, as in C.
 *   - A handle releases itself. An object that was moved from is empty: it may be assigned to and destroyed, and any
 *     other use of it throws an error or gives the value that the C function has for NULL.
 *   - pool, step, context, workflow, exec and event are move-only. worker, result and command are cheap to copy,
 *     because copies share one object. A worker keeps its pool alive, and the result of a step, or a command, keeps
 *     alive the result that it belongs to.
 *   - Text goes in as std::string_view, which need not end with a NUL. Empty options are no options. Text comes out as
 *     std::string. Only the output of commands comes out as std::string_view, which is valid as long as the object that
 *     it came from; from a temporary object it comes as std::string.
 *   - Times are std::chrono::duration<double> and std::chrono::system_clock::time_point. An unknown value is
 *     std::nullopt.
 *   - A method that is const may be called by several threads at once, and so may those of exec and context.
 */
#ifndef FLOWWORKER_HPP
#define FLOWWORKER_HPP

#if __cplusplus < 201703L
#error "flowworker.hpp needs C++17 or later: compile with -std=c++17"
#endif

#include <flowworker.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flowworker
{

using seconds = std::chrono::duration<double>;
using time_point = std::chrono::system_clock::time_point;

/* ---------------------------------------------------------------- numbers -- */

enum class status : fw_status {
    ok = FW_OK,
    invalid = FW_E_INVALID,
    syntax = FW_E_SYNTAX,
    document = FW_E_DOCUMENT,
    unknown = FW_E_UNKNOWN,
    step_type = FW_E_STEP_TYPE,
    bad_template = FW_E_TEMPLATE,
    unsupported = FW_E_UNSUPPORTED,
    no_memory = FW_E_NO_MEMORY,
    forked = FW_E_FORKED,
    ended = FW_E_ENDED,
};

/** How a step or a command ended. Later versions of the library may give other numbers. */
enum class outcome : fw_outcome {
    exited = FW_EXITED,
    signaled = FW_SIGNALED,
    timeout = FW_TIMEOUT,
    cancelled = FW_CANCELLED,
    oom = FW_OOM,
    spawn_failed = FW_SPAWN_FAILED,
    engine_failed = FW_ENGINE_FAILED,
    output_missing = FW_OUTPUT_MISSING,
    status_unknown = FW_STATUS_UNKNOWN,
    input_missing = FW_INPUT_MISSING,
    volume_failed = FW_VOLUME_FAILED,
};

/** A stream of output. (stdout and stderr are macros of the C library.) */
enum class stream : fw_stream { out = FW_STDOUT, err = FW_STDERR };

/** Which processes of the running command get a signal. */
enum class signal_target : fw_signal_target { main = FW_SIGNAL_MAIN, tree = FW_SIGNAL_TREE };

/** Later versions of the library may give other numbers. */
enum class event_kind : std::int32_t {
    step_started = FW_EVENT_STEP_STARTED,
    command_started = FW_EVENT_COMMAND_STARTED,
    output = FW_EVENT_OUTPUT,
    command_ended = FW_EVENT_COMMAND_ENDED,
    retry = FW_EVENT_RETRY,
    step_ended = FW_EVENT_STEP_ENDED,
    progress = FW_EVENT_PROGRESS,
    run_started = FW_EVENT_RUN_STARTED,
    run_ended = FW_EVENT_RUN_ENDED,
    file_copied = FW_EVENT_FILE_COPIED,
    step_restored = FW_EVENT_STEP_RESTORED,
};

enum class log_level : fw_log_level {
    off = FW_LOG_OFF,
    error = FW_LOG_ERROR,
    warning = FW_LOG_WARNING,
    info = FW_LOG_INFO,
    debug = FW_LOG_DEBUG,
};

namespace detail
{

inline std::string text(const char *text)
{
    return text == nullptr ? std::string() : std::string(text);
}

inline std::optional<std::string> optional_text(const char *text)
{
    return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

inline time_point time_of(double since_1970)
{
    return time_point(std::chrono::duration_cast<time_point::duration>(seconds(since_1970)));
}

} // namespace detail

/** The name of a number, as it is in JSON; "" for a number that this version of the library does not know. */
inline std::string to_string(status number)
{
    return detail::text(fw_status_name(static_cast<fw_status>(number)));
}

inline std::string to_string(outcome number)
{
    return detail::text(fw_outcome_name(static_cast<fw_outcome>(number)));
}

inline std::string to_string(stream number)
{
    return number == stream::out ? "stdout" : number == stream::err ? "stderr" : "";
}

inline std::string to_string(event_kind number)
{
    return detail::text(fw_event_kind_name(static_cast<std::int32_t>(number)));
}

inline std::string to_string(log_level number)
{
    return detail::text(fw_log_level_name(static_cast<fw_log_level>(number)));
}

/* ----------------------------------------------------------------- errors -- */

/** Why a call failed. what() is fw_error_message(). */
class error : public std::runtime_error
{
  public:
    error(flowworker::status code, const std::string &message) : std::runtime_error(message), code_(code) {}

    /** Copies what an error of C says. */
    explicit error(const fw_error *from)
        : std::runtime_error(fw_error_message(from)), code_(static_cast<flowworker::status>(fw_error_code(from))),
          line_(fw_error_line(from)), column_(fw_error_column(from))
    {
        if (const char *path = fw_error_path(from))
            path_ = std::make_shared<const std::string>(path);
    }

    flowworker::status status() const noexcept { return code_; }

    /** The JSON pointer of the wrong value; std::nullopt if the error is not about a value of a document. */
    std::optional<std::string> path() const
    {
        return path_ == nullptr ? std::nullopt : std::optional<std::string>(*path_);
    }

    /** The line, from 1; 0 if no position is known. */
    std::int32_t line() const noexcept { return line_; }

    /** The column in characters, from 1; 0 if no position is known. */
    std::int32_t column() const noexcept { return column_; }

  private:
    flowworker::status code_;
    /* The copy of an exception must not throw. */
    std::shared_ptr<const std::string> path_;
    std::int32_t line_ = 0;
    std::int32_t column_ = 0;
};

namespace detail
{

/** Releases whatever the library has given. */
struct release {
    void operator()(char *owned) const noexcept { fw_string_free(owned); }
    void operator()(fw_error *owned) const noexcept { fw_error_free(owned); }
    void operator()(fw_step *owned) const noexcept { fw_step_free(owned); }
    void operator()(fw_context *owned) const noexcept { fw_context_free(owned); }
    void operator()(fw_pool *owned) const noexcept { fw_pool_free(owned); }
    void operator()(fw_worker *owned) const noexcept { fw_worker_free(owned); }
    void operator()(fw_workflow *owned) const noexcept { fw_workflow_free(owned); }
    void operator()(fw_exec *owned) const noexcept { fw_exec_free(owned); }
    void operator()(fw_event *owned) const noexcept { fw_event_free(owned); }
    void operator()(fw_result *owned) const noexcept { fw_result_free(owned); }
};

template <class Object> using unique = std::unique_ptr<Object, release>;

/** Marks the constructors that take an object of C over. */
struct adopted {};

/** Makes a call, whose last argument is the error, and throws what it reports. */
template <class Call> void check(Call &&call)
{
    fw_error *raw = nullptr;
    const fw_status code = call(&raw);
    const unique<fw_error> owned(raw);
    if (code != FW_OK)
        throw error(owned.get());
}

/** The same for a call that gives an object before the error. */
template <class Object, class Call> Object *make(Call &&call)
{
    Object *made = nullptr;
    check([&](fw_error **failure) { return call(&made, failure); });
    return made;
}

/** The same for a call that gives text. */
template <class Call> std::string make_text(Call &&call)
{
    const unique<char> owned(make<char>(call));
    return text(owned.get());
}

/** A name or a path as C takes it. */
class c_text
{
  public:
    c_text(std::string_view from, const char *argument) : copy_(from)
    {
        if (from.find('\0') != std::string_view::npos)
            throw error(status::invalid, "the argument \"" + std::string(argument) + "\" contains a NUL");
    }

    const char *get() const noexcept { return copy_.c_str(); }

    /** NULL for an empty text. */
    const char *optional() const noexcept { return copy_.empty() ? nullptr : copy_.c_str(); }

  private:
    std::string copy_;
};

/** The start of a text that must be there; the view of nothing has none. */
inline const char *start(std::string_view from) noexcept
{
    return from.data() == nullptr ? "" : from.data();
}

/** The start of a text that may be left out. */
inline const char *optional_start(std::string_view from) noexcept
{
    return from.empty() ? nullptr : from.data();
}

/** A number that is negative if it is not known. */
template <class Number> std::optional<Number> known(Number number)
{
    return number < 0 ? std::nullopt : std::optional<Number>(number);
}

inline std::optional<seconds> known_seconds(double number)
{
    return number < 0 ? std::nullopt : std::optional<seconds>(number);
}

} // namespace detail

/* ----------------------------------------------------------------- ranges -- */

/** Items that are made when they are asked for. Its iterators are valid as long as the range is. */
template <class Item> class range
{
  public:
    using make_item = std::function<Item(std::size_t)>;

    class iterator
    {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Item;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = Item;

        iterator() = default;
        iterator(const range *of, std::size_t index) : of_(of), index_(index) {}

        Item operator*() const { return (*of_)[index_]; }
        iterator &operator++()
        {
            ++index_;
            return *this;
        }
        iterator operator++(int)
        {
            iterator before = *this;
            ++index_;
            return before;
        }
        friend bool operator==(const iterator &one, const iterator &other) { return one.index_ == other.index_; }
        friend bool operator!=(const iterator &one, const iterator &other) { return one.index_ != other.index_; }

      private:
        const range *of_ = nullptr;
        std::size_t index_ = 0;
    };

    range(std::size_t size, make_item at) : size_(size), at_(std::move(at)) {}

    std::size_t size() const noexcept { return at_ == nullptr ? 0 : size_; }
    bool empty() const noexcept { return size() == 0; }
    /** Throws an error if the range is one that was moved from. */
    Item operator[](std::size_t index) const
    {
        if (at_ == nullptr)
            throw error(status::invalid, "the range was moved from: expected a range that has items");
        return at_(index);
    }
    iterator begin() const { return iterator(this, 0); }
    iterator end() const { return iterator(this, size()); }

  private:
    std::size_t size_;
    make_item at_;
};

/* ---------------------------------------------------------------- library -- */

inline std::string version()
{
    return detail::text(fw_version());
}

/** A library with another number than FW_ABI_VERSION cannot be used by this program. */
inline std::int32_t abi_version()
{
    return fw_abi_version();
}

inline std::string build_info()
{
    return detail::text(fw_build_info());
}

/** Sets the log of this process.
 *
 *  @param log is called with a log_level and a std::string_view, by several threads at once. It is destroyed when it
 *             can no longer be called. */
template <class Log> void set_log(log_level level, Log &&log)
{
    using stored = std::decay_t<Log>;
    auto owned = std::make_unique<stored>(std::forward<Log>(log));
    detail::check([&](fw_error **failure) {
        return fw_set_log(
            static_cast<fw_log_level>(level),
            [](fw_log_level number, const char *message, void *payload) {
                (*static_cast<stored *>(payload))(static_cast<log_level>(number), std::string_view(message));
            },
            owned.release(), [](void *payload) { delete static_cast<stored *>(payload); }, failure);
    });
}

/** Turns the log off. */
inline void clear_log()
{
    detail::check([](fw_error **failure) { return fw_set_log(FW_LOG_OFF, nullptr, nullptr, nullptr, failure); });
}

/** The text as one word of a POSIX shell. */
inline std::string quote_shell(std::string_view text)
{
    return detail::make_text(
        [&](char **out, fw_error **failure) { return fw_quote_shell(detail::start(text), text.size(), out, failure); });
}

/** The text as a JSON string, with its quotation marks. */
inline std::string quote_json(std::string_view text)
{
    return detail::make_text(
        [&](char **out, fw_error **failure) { return fw_quote_json(detail::start(text), text.size(), out, failure); });
}

/** The parts of a worker's specification that may be left out. What is empty is left out. */
struct worker_parts {
    std::string identifier;
    /** JSON objects. */
    std::string variables;
    std::string env;
    std::string volume;
    std::string options;
};

/** The JSON of a worker's specification (fw_spec_worker()). */
inline std::string worker_spec(std::string_view type, const worker_parts &parts = {})
{
    const detail::c_text name(type, "type"), identifier(parts.identifier, "identifier"), volume(parts.volume, "volume");
    return detail::make_text([&](char **out, fw_error **failure) {
        return fw_spec_worker(name.get(), identifier.optional(), detail::optional_start(parts.variables),
                              parts.variables.size(), detail::optional_start(parts.env), parts.env.size(),
                              volume.optional(), detail::optional_start(parts.options), parts.options.size(), out,
                              failure);
    });
}

/* -------------------------------------------------------------- functions -- */

/** A call of a function of the host. A function may use it until it returns, in any thread. */
class call
{
  public:
    explicit call(fw_call *borrowed) noexcept : handle_(borrowed) {}
    call(const call &) = delete;
    call &operator=(const call &) = delete;

    ~call()
    {
        /* This call returns when no callback runs any more, so the callbacks can be destroyed. */
        if (notice_ != nullptr && fw_call_on_cancel(handle_, [](void *) {}, nullptr, nullptr) != FW_OK)
            notice_.release();
    }

    fw_call *handle() const noexcept { return handle_; }

    std::string step() const { return detail::text(fw_call_step(handle_)); }

    std::string action() const { return detail::text(fw_call_action(handle_)); }

    /** The JSON of an argument; std::nullopt if there is none. */
    std::optional<std::string> argument(std::string_view parameter) const
    {
        const detail::c_text name(parameter, "parameter");
        return detail::optional_text(fw_call_argument(handle_, name.get(), nullptr));
    }

    std::string rundir() const { return detail::text(fw_call_rundir(handle_)); }

    void write(flowworker::stream to, std::string_view bytes)
    {
        detail::check([&](fw_error **failure) {
            return fw_call_write(handle_, static_cast<fw_stream>(to), detail::start(bytes), bytes.size(), failure);
        });
    }

    void write_piece(flowworker::stream to, std::string_view bytes)
    {
        detail::check([&](fw_error **failure) {
            return fw_call_write_piece(handle_, static_cast<fw_stream>(to), detail::start(bytes), bytes.size(),
                                       failure);
        });
    }

    bool is_cancelled() const noexcept { return fw_call_is_cancelled(handle_) != 0; }

    /** Sets what is called once when the step is cancelled. One thread at a time may set it. */
    void on_cancel(std::function<void()> notice)
    {
        auto fresh = std::make_unique<std::function<void()>>(std::move(notice));
        detail::check([&](fw_error **failure) {
            return fw_call_on_cancel(
                handle_, [](void *payload) { (*static_cast<std::function<void()> *>(payload))(); }, fresh.get(),
                failure);
        });
        /* The callback before is neither running now nor called any more. */
        notice_ = std::move(fresh);
    }

    /** Sets the value of the function, any JSON. */
    void return_value(std::string_view json)
    {
        detail::check(
            [&](fw_error **failure) { return fw_call_return(handle_, detail::start(json), json.size(), failure); });
    }

    void fail(std::string_view type, std::string_view message, std::string_view trace = {})
    {
        const detail::c_text kind(type, "type"), what(message, "message"), where(trace, "trace");
        detail::check([&](fw_error **failure) {
            return fw_call_fail(handle_, kind.optional(), what.get(), where.optional(), failure);
        });
    }

    void report(std::string_view json)
    {
        detail::check(
            [&](fw_error **failure) { return fw_call_report(handle_, detail::start(json), json.size(), failure); });
    }

  private:
    fw_call *handle_;
    std::unique_ptr<std::function<void()>> notice_;
};

namespace detail
{

/** Calls a function of the host, which is the payload. The library turns an exception into a failure of the step. */
template <class Function> void run_function(fw_call *borrowed, void *payload)
{
    using value = std::invoke_result_t<Function &, call &>;
    static_assert(
        std::is_void_v<value> || std::is_convertible_v<value, std::string_view>,
        "a function returns nothing, or its value as JSON text (std::string); quote_json() makes it of a text");
    Function &function = *static_cast<Function *>(payload);
    call current(borrowed);
    if constexpr (std::is_void_v<value>)
        function(current);
    else
        current.return_value(function(current));
}

template <class Function> void release_function(void *payload)
{
    delete static_cast<Function *>(payload);
}

} // namespace detail

/* -------------------------------------------------------------- documents -- */

/** One step of a workflow. */
class step
{
  public:
    explicit step(std::string_view json)
        : handle_(detail::make<fw_step>([&](fw_step **out, fw_error **failure) {
              return fw_step_create(detail::start(json), json.size(), out, failure);
          }))
    {
    }
    /** Takes an object of C over. */
    static step adopt(fw_step *owned) noexcept { return step(detail::adopted(), owned); }

    const fw_step *handle() const noexcept { return handle_.get(); }

    std::string name() const { return detail::text(fw_step_name(handle())); }

    std::string type() const { return detail::text(fw_step_type(handle())); }

  private:
    step(detail::adopted, fw_step *owned) noexcept : handle_(owned) {}

    detail::unique<fw_step> handle_;
};

/** The values to which the commands of steps can refer. */
class context
{
  public:
    /** @param json an object; by default an empty one. */
    explicit context(std::string_view json = {})
        : handle_(detail::make<fw_context>([&](fw_context **out, fw_error **failure) {
              return fw_context_create(detail::optional_start(json), json.size(), out, failure);
          }))
    {
    }
    /** Takes an object of C over. */
    static context adopt(fw_context *owned) noexcept { return context(detail::adopted(), owned); }

    fw_context *handle() const noexcept { return handle_.get(); }

    /** The JSON of a value. */
    std::string get(std::string_view name) const
    {
        const detail::c_text key(name, "name");
        return detail::make_text(
            [&](char **out, fw_error **failure) { return fw_context_get(handle(), key.get(), out, failure); });
    }

    /** @param json any JSON value. */
    void set(std::string_view name, std::string_view json)
    {
        const detail::c_text key(name, "name");
        detail::check([&](fw_error **failure) {
            return fw_context_set(handle(), key.get(), detail::start(json), json.size(), failure);
        });
    }

    /** Sets a value that is text, which need not be quoted. */
    void set_text(std::string_view name, std::string_view text) { set(name, quote_json(text)); }

    std::string to_json() const
    {
        return detail::make_text(
            [&](char **out, fw_error **failure) { return fw_context_to_json(handle(), out, failure); });
    }

    /** Makes all code steps that run with this context call one function; see pool::add_function(). */
    template <class Function> void set_function(Function &&function)
    {
        using stored = std::decay_t<Function>;
        auto owned = std::make_unique<stored>(std::forward<Function>(function));
        detail::check([&](fw_error **failure) {
            return fw_context_set_function(handle(), detail::run_function<stored>, owned.release(),
                                           detail::release_function<stored>, failure);
        });
    }

  private:
    context(detail::adopted, fw_context *owned) noexcept : handle_(owned) {}

    detail::unique<fw_context> handle_;
};

/* ---------------------------------------------------------------- results -- */

/** What one command of a result did. It keeps the result alive. */
class command
{
  public:
    command(std::shared_ptr<const fw_result> result, std::size_t index) : result_(std::move(result)), index_(index) {}

    std::string text() const { return detail::text(fw_result_command_text(result_.get(), index_)); }
    flowworker::outcome outcome() const
    {
        return static_cast<flowworker::outcome>(fw_result_command_outcome(result_.get(), index_));
    }
    std::optional<std::int32_t> exit_code() const
    {
        return detail::known(fw_result_command_exit_code(result_.get(), index_));
    }
    std::optional<std::int32_t> signal() const
    {
        const std::int32_t number = fw_result_command_signal(result_.get(), index_);
        return number == 0 ? std::nullopt : std::optional<std::int32_t>(number);
    }
    std::optional<std::int32_t> pid() const
    {
        const std::int32_t number = fw_result_command_pid(result_.get(), index_);
        return number == 0 ? std::nullopt : std::optional<std::int32_t>(number);
    }
    time_point started() const { return detail::time_of(fw_result_command_started(result_.get(), index_)); }
    seconds duration() const { return seconds(fw_result_command_duration(result_.get(), index_)); }
    std::optional<seconds> user_time() const
    {
        return detail::known_seconds(fw_result_command_user_time(result_.get(), index_));
    }
    std::optional<seconds> system_time() const
    {
        return detail::known_seconds(fw_result_command_system_time(result_.get(), index_));
    }
    /** In bytes. */
    std::optional<std::int64_t> peak_memory() const
    {
        return detail::known(fw_result_command_peak_memory(result_.get(), index_));
    }
    std::size_t survivor_count() const { return fw_result_command_survivor_count(result_.get(), index_); }
    bool is_ended() const { return fw_result_command_is_ended(result_.get(), index_) != 0; }
    std::string_view output(flowworker::stream of) const &
    {
        std::size_t length = 0;
        const char *bytes = fw_result_command_output(result_.get(), index_, static_cast<fw_stream>(of), &length);
        return std::string_view(bytes, length);
    }
    std::string output(flowworker::stream of) && { return std::string(static_cast<const command &>(*this).output(of)); }
    std::uint64_t output_size(flowworker::stream of) const
    {
        return fw_result_command_output_size(result_.get(), index_, static_cast<fw_stream>(of));
    }

  private:
    std::shared_ptr<const fw_result> result_;
    std::size_t index_;
};

/** The bytes that are missing in a piece of output, and where they are missing. */
struct output_cut {
    std::size_t missing = 0;
    std::size_t at = 0;
};

/** What happened when a step or a workflow was run. Copies share one object. */
class result
{
  public:
    /** Takes an object of C over. */
    static result adopt(fw_result *owned) { return result(detail::adopted(), owned); }

    const fw_result *handle() const noexcept { return handle_.get(); }

    /** Whether the step or workflow succeeded: the return code is 0. */
    bool ok() const noexcept { return returncode() == 0; }
    std::optional<std::string> name() const { return detail::optional_text(fw_result_name(handle())); }
    std::optional<std::int32_t> index() const { return detail::known(fw_result_index(handle())); }
    std::optional<std::int64_t> instance() const { return detail::known(fw_result_instance(handle())); }
    std::int32_t returncode() const noexcept { return fw_result_returncode(handle()); }
    flowworker::outcome outcome() const noexcept
    {
        return static_cast<flowworker::outcome>(fw_result_outcome(handle()));
    }
    std::optional<std::string> message() const { return detail::optional_text(fw_result_message(handle())); }
    time_point started() const { return detail::time_of(fw_result_started(handle())); }
    seconds duration() const { return seconds(fw_result_duration(handle())); }

    /** All output on a stream, the pieces one after the other. */
    std::string output(flowworker::stream of) const
    {
        std::string all;
        for (std::string_view each : outputs(of))
            all += each;
        return all;
    }
    std::size_t output_count(flowworker::stream of) const noexcept
    {
        return fw_result_output_count(handle(), static_cast<fw_stream>(of));
    }
    /** One piece of output; "" if there is none. */
    std::string_view output(flowworker::stream of, std::size_t index) const & { return piece(handle(), of, index); }
    std::string output(flowworker::stream of, std::size_t index) && { return std::string(piece(handle(), of, index)); }
    /** The pieces of output, which are valid as long as the range or the result is. */
    range<std::string_view> outputs(flowworker::stream of) const
    {
        return range<std::string_view>(
            output_count(of), [shared = handle_, of](std::size_t index) { return piece(shared.get(), of, index); });
    }
    flowworker::output_cut output_cut(flowworker::stream of, std::size_t index) const noexcept
    {
        flowworker::output_cut cut;
        cut.missing = fw_result_output_cut(handle(), static_cast<fw_stream>(of), index, &cut.at);
        return cut;
    }
    bool output_incomplete(flowworker::stream of) const noexcept
    {
        return fw_result_output_incomplete(handle(), static_cast<fw_stream>(of)) != 0;
    }

    std::size_t command_count() const noexcept { return fw_result_command_count(handle()); }
    flowworker::command command(std::size_t index) const { return flowworker::command(handle_, index); }
    range<flowworker::command> commands() const
    {
        return range<flowworker::command>(
            command_count(), [shared = handle_](std::size_t index) { return flowworker::command(shared, index); });
    }

    std::size_t step_count() const noexcept { return fw_result_step_count(handle()); }
    /** The result of one step of a workflow; an empty object if there is none. */
    result step(std::size_t index) const { return result(handle_, index); }
    range<result> steps() const
    {
        return range<result>(step_count(), [shared = handle_](std::size_t index) { return result(shared, index); });
    }

    /** @param format `trace` or `html`. */
    std::string view(std::string_view format) const
    {
        const detail::c_text name(format, "format");
        return detail::make_text(
            [&](char **out, fw_error **failure) { return fw_result_view(handle(), name.get(), out, failure); });
    }
    std::string to_json() const
    {
        return detail::make_text(
            [&](char **out, fw_error **failure) { return fw_result_to_json(handle(), out, failure); });
    }

  private:
    result(detail::adopted, fw_result *owned) : handle_(owned, detail::release()) {}

    /** The result of a step, which belongs to that of the workflow. */
    result(const std::shared_ptr<const fw_result> &workflow, std::size_t index)
        : handle_(workflow, fw_result_step(workflow.get(), index))
    {
    }

    static std::string_view piece(const fw_result *from, flowworker::stream of, std::size_t index) noexcept
    {
        std::size_t length = 0;
        const char *bytes = fw_result_output(from, static_cast<fw_stream>(of), index, &length);
        return std::string_view(bytes, length);
    }

    std::shared_ptr<const fw_result> handle_;
};

/* -------------------------------------------------------------- execution -- */

/** Something that happened during an execution. */
class event
{
  public:
    /** Takes an object of C over. */
    static event adopt(fw_event *owned) noexcept { return event(detail::adopted(), owned); }

    const fw_event *handle() const noexcept { return handle_.get(); }

    event_kind kind() const noexcept { return static_cast<event_kind>(fw_event_kind(handle())); }
    std::uint64_t sequence() const noexcept { return fw_event_sequence(handle()); }
    time_point time() const { return detail::time_of(fw_event_time(handle())); }
    std::optional<std::int32_t> command() const { return detail::known(fw_event_command(handle())); }
    std::optional<std::int32_t> step() const { return detail::known(fw_event_step(handle())); }
    std::optional<std::int64_t> instance() const { return detail::known(fw_event_instance(handle())); }
    std::optional<std::string> step_name() const { return detail::optional_text(fw_event_step_name(handle())); }
    std::int32_t attempt() const noexcept { return fw_event_attempt(handle()); }
    /** The stream of output; std::nullopt for any other event. */
    std::optional<flowworker::stream> stream() const
    {
        const fw_stream number = fw_event_stream(handle());
        return number == 0 ? std::nullopt : std::optional<flowworker::stream>(static_cast<flowworker::stream>(number));
    }
    /** The output of an event; "" for an event without output. */
    std::string_view data() const &
    {
        std::size_t length = 0;
        const char *bytes = fw_event_data(handle(), &length);
        return std::string_view(bytes, length);
    }
    std::string data() && { return std::string(static_cast<const event &>(*this).data()); }
    bool is_continued() const noexcept { return fw_event_is_continued(handle()) != 0; }
    std::string to_json() const
    {
        return detail::make_text(
            [&](char **out, fw_error **failure) { return fw_event_to_json(handle(), out, failure); });
    }

  private:
    event(detail::adopted, fw_event *owned) noexcept : handle_(owned) {}

    detail::unique<fw_event> handle_;
};

/** The events that are still to come; each is waited for without limit. An event may be moved out of the loop. */
class event_range
{
  public:
    class iterator
    {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = event;
        using difference_type = std::ptrdiff_t;
        using pointer = event *;
        using reference = event &;

        iterator() = default;
        explicit iterator(event_range *of) : of_(of) { next(); }

        event &operator*() const { return *of_->current_; }
        event *operator->() const { return &*of_->current_; }
        iterator &operator++()
        {
            next();
            return *this;
        }
        void operator++(int) { next(); }
        friend bool operator==(const iterator &one, const iterator &other) { return one.of_ == other.of_; }
        friend bool operator!=(const iterator &one, const iterator &other) { return one.of_ != other.of_; }

      private:
        void next()
        {
            if (!of_->advance())
                of_ = nullptr;
        }

        event_range *of_ = nullptr;
    };

    explicit event_range(fw_exec *borrowed) : exec_(borrowed) {}

    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

  private:
    bool advance()
    {
        fw_event *next = detail::make<fw_event>(
            [&](fw_event **out, fw_error **failure) { return fw_exec_next_event(exec_, -1, out, failure); });
        current_.reset();
        if (next != nullptr)
            current_.emplace(event::adopt(next));
        return next != nullptr;
    }

    fw_exec *exec_;
    std::optional<event> current_;
};

/** The execution of a step or of a workflow. It may be used by several threads at once. An exec that is destroyed
 *  before its step has ended cancels the step. */
class exec
{
  public:
    /** Takes an object of C over. */
    static exec adopt(fw_exec *owned) noexcept { return exec(detail::adopted(), owned); }

    fw_exec *handle() const noexcept { return handle_.get(); }

    int fd() const noexcept { return fw_exec_fd(handle()); }

    /** Waits for the next event; std::nullopt after the last one. */
    std::optional<event> next_event() { return take_event(-1); }
    /** Waits for a time, which is no limit if it is negative; std::nullopt if no event came, and after the last one. */
    std::optional<event> next_event(seconds timeout) { return take_event(timeout.count()); }

    /** A range for one loop, which must end before this object. */
    event_range events() & { return event_range(handle()); }
    event_range events() && = delete;

    /** Waits for the end. */
    result wait() { return result::adopt(take_result(-1)); }
    /** Waits for a time, which is no limit if it is negative; std::nullopt if the step has not ended. */
    std::optional<result> wait(seconds timeout)
    {
        fw_result *taken = take_result(timeout.count());
        return taken == nullptr ? std::nullopt : std::optional<result>(result::adopt(taken));
    }

    void cancel() noexcept { fw_exec_cancel(handle()); }

    /** Writes to the command's standard input, and waits until all bytes were taken. Returns how many were: fewer only
     *  if there are events that this thread should take first. If it throws, some of them may have been taken. */
    std::size_t write(std::string_view bytes) { return write(bytes, seconds(-1)); }
    /** Waits for a time, which is no limit if it is negative. */
    std::size_t write(std::string_view bytes, seconds timeout)
    {
        std::size_t taken = 0;
        detail::check([&](fw_error **failure) {
            return fw_exec_write(handle(), bytes.data(), bytes.size(), timeout.count(), &taken, failure);
        });
        return taken;
    }
    /** The same for bytes that are no text, such as those of a std::vector<std::byte>. */
    std::size_t write(const std::byte *bytes, std::size_t length, seconds timeout = seconds(-1))
    {
        return write(std::string_view(reinterpret_cast<const char *>(bytes), length), timeout);
    }

    /** Ends the command's standard input. */
    void close_input()
    {
        detail::check([&](fw_error **failure) { return fw_exec_close_input(handle(), failure); });
    }

    /** Sends a signal, such as SIGHUP, to the running command. */
    void signal(int number, signal_target target = signal_target::main)
    {
        detail::check([&](fw_error **failure) {
            return fw_exec_signal(handle(), number, static_cast<fw_signal_target>(target), failure);
        });
    }

    void set_data(void *data) noexcept { fw_exec_set_data(handle(), data); }
    void *data() const noexcept { return fw_exec_data(handle()); }

  private:
    std::optional<event> take_event(double timeout)
    {
        fw_event *next = detail::make<fw_event>(
            [&](fw_event **out, fw_error **failure) { return fw_exec_next_event(handle(), timeout, out, failure); });
        return next == nullptr ? std::nullopt : std::optional<event>(event::adopt(next));
    }

    fw_result *take_result(double timeout)
    {
        return detail::make<fw_result>(
            [&](fw_result **out, fw_error **failure) { return fw_exec_wait(handle(), timeout, out, failure); });
    }

    exec(detail::adopted, fw_exec *owned) noexcept : handle_(owned) {}

    detail::unique<fw_exec> handle_;
};

/** Runs steps of one type. A worker of a pool keeps the pool alive. Copies share one object. */
class worker
{
  public:
    /** Creates a worker outside of any pool. */
    explicit worker(std::string_view json)
        : worker(detail::adopted(), detail::make<fw_worker>([&](fw_worker **out, fw_error **failure) {
                     return fw_worker_create(detail::start(json), json.size(), out, failure);
                 }))
    {
    }
    /** Takes an object of C over. */
    static worker adopt(fw_worker *owned) { return worker(detail::adopted(), owned); }
    /** A worker that a pool has lent. */
    worker(const std::shared_ptr<fw_pool> &pool, const fw_worker *borrowed) noexcept : handle_(pool, borrowed) {}

    const fw_worker *handle() const noexcept { return handle_.get(); }

    std::string name() const { return detail::text(fw_worker_name(handle())); }
    std::string type() const { return detail::text(fw_worker_type(handle())); }
    std::string volume() const { return detail::text(fw_worker_volume(handle())); }
    /** A JSON array of names. */
    std::string secrets() const { return detail::text(fw_worker_secrets(handle())); }
    /** A JSON array of names. */
    std::string environment_values() const { return detail::text(fw_worker_environment_values(handle())); }

    /** Runs a step and waits for its end. */
    result exec(const step &what, std::string_view rundir, std::string_view options = {}) const
    {
        return exec_with(what, nullptr, rundir, options);
    }
    result exec(const step &what, context &values, std::string_view rundir, std::string_view options = {}) const
    {
        return exec_with(what, values.handle(), rundir, options);
    }

    /** Starts a step. */
    flowworker::exec start(const step &what, std::string_view rundir, std::string_view options = {}) const
    {
        return start_with(what, nullptr, rundir, options);
    }
    flowworker::exec start(const step &what, context &values, std::string_view rundir,
                           std::string_view options = {}) const
    {
        return start_with(what, values.handle(), rundir, options);
    }

    /** The JSON of what would run. */
    std::string plan(const step &what, std::string_view rundir) const { return plan_with(what, nullptr, rundir); }
    std::string plan(const step &what, context &values, std::string_view rundir) const
    {
        return plan_with(what, values.handle(), rundir);
    }

  private:
    worker(detail::adopted, fw_worker *owned) : handle_(owned, detail::release()) {}

    result exec_with(const step &what, fw_context *values, std::string_view rundir, std::string_view options) const
    {
        const detail::c_text path(rundir, "rundir");
        return result::adopt(detail::make<fw_result>([&](fw_result **out, fw_error **failure) {
            return fw_worker_exec_with(handle(), what.handle(), values, path.get(), detail::optional_start(options),
                                       options.size(), out, failure);
        }));
    }

    flowworker::exec start_with(const step &what, fw_context *values, std::string_view rundir,
                                std::string_view options) const
    {
        const detail::c_text path(rundir, "rundir");
        return flowworker::exec::adopt(detail::make<fw_exec>([&](fw_exec **out, fw_error **failure) {
            return fw_exec_start(handle(), what.handle(), values, path.get(), detail::optional_start(options),
                                 options.size(), out, failure);
        }));
    }

    std::string plan_with(const step &what, fw_context *values, std::string_view rundir) const
    {
        const detail::c_text path(rundir, "rundir");
        return detail::make_text([&](char **out, fw_error **failure) {
            return fw_worker_plan(handle(), what.handle(), values, path.get(), out, failure);
        });
    }

    std::shared_ptr<const fw_worker> handle_;
};

/** Workers, the steps that are mapped to them, and the defaults for all other steps. */
class pool
{
  public:
    /** @param json an engine configuration; by default a pool that has only the default workers. */
    explicit pool(std::string_view json = "[]")
        : pool(detail::adopted(), detail::make<fw_pool>([&](fw_pool **out, fw_error **failure) {
                   return fw_pool_create(detail::start(json), json.size(), out, failure);
               }))
    {
    }
    /** Takes an object of C over. */
    static pool adopt(fw_pool *owned) { return pool(detail::adopted(), owned); }
    pool(pool &&) noexcept = default;
    pool &operator=(pool &&) noexcept = default;
    pool(const pool &) = delete;
    pool &operator=(const pool &) = delete;
    ~pool() = default;

    /** Creates a pool from a value of jansson. */
    static pool from(const struct json_t *config)
    {
        return adopt(detail::make<fw_pool>(
            [&](fw_pool **out, fw_error **failure) { return fw_pool_create_from(config, out, failure); }));
    }

    fw_pool *handle() const noexcept { return handle_.get(); }

    /** The worker that runs a step. */
    flowworker::worker get(const step &what) const
    {
        return lend([&](const fw_worker **out, fw_error **failure) {
            return fw_pool_get(handle(), what.handle(), out, failure);
        });
    }
    flowworker::worker default_worker(const step &what) const
    {
        return lend([&](const fw_worker **out, fw_error **failure) {
            return fw_pool_default_worker(handle(), what.handle(), out, failure);
        });
    }
    flowworker::worker worker(std::string_view name) const
    {
        const detail::c_text key(name, "name");
        return lend([&](const fw_worker **out, fw_error **failure) {
            return fw_pool_worker(handle(), key.get(), out, failure);
        });
    }

    std::size_t worker_count() const noexcept { return fw_pool_worker_count(handle()); }
    /** The names of the workers in the order of the configuration. */
    range<std::string> worker_names() const
    {
        return range<std::string>(worker_count(), [shared = handle_](std::size_t index) {
            return detail::text(fw_pool_worker_name(shared.get(), index));
        });
    }

    /** Registers a function under the name that code steps use in `func`.
     *
     *  @param parameters the names of its parameters.
     *  @param function   is called with a call &, by several threads at once. What it returns, if anything, is the JSON
     *                    of its value. An exception that it throws is a failure of the step. It is destroyed when it
     *                    can no longer be called. */
    template <class Function>
    void add_function(std::string_view name, std::initializer_list<std::string_view> parameters, Function &&function)
    {
        using stored = std::decay_t<Function>;
        const detail::c_text key(name, "name");
        std::string names = "[";
        for (std::string_view parameter : parameters)
            names += (names.size() > 1 ? "," : "") + quote_json(parameter);
        names += "]";
        auto owned = std::make_unique<stored>(std::forward<Function>(function));
        detail::check([&](fw_error **failure) {
            return fw_function_register(handle(), key.get(), names.data(), names.size(), detail::run_function<stored>,
                                        owned.release(), detail::release_function<stored>, failure);
        });
    }

  private:
    pool(detail::adopted, fw_pool *owned) : handle_(owned, detail::release()) {}

    template <class Call> flowworker::worker lend(Call &&call) const
    {
        return flowworker::worker(handle_, detail::make<const fw_worker>(call));
    }

    std::shared_ptr<fw_pool> handle_;
};

/** A sequence of steps with their files and values. */
class workflow
{
  public:
    explicit workflow(std::string_view json)
        : handle_(detail::make<fw_workflow>([&](fw_workflow **out, fw_error **failure) {
              return fw_workflow_create(detail::start(json), json.size(), out, failure);
          }))
    {
    }
    /** Takes an object of C over. */
    static workflow adopt(fw_workflow *owned) noexcept { return workflow(detail::adopted(), owned); }

    const fw_workflow *handle() const noexcept { return handle_.get(); }

    /** Runs the workflow and waits for its end.
     *
     *  @param rundir the directory of the default volume; empty: that of the volume `__default__`. */
    result run(const pool &workers, std::string_view rundir, std::string_view options = {}) const
    {
        return run_with(workers, nullptr, rundir, options);
    }
    result run(const pool &workers, context &values, std::string_view rundir, std::string_view options = {}) const
    {
        return run_with(workers, values.handle(), rundir, options);
    }

    /** Starts the workflow. */
    exec start(const pool &workers, std::string_view rundir, std::string_view options = {}) const
    {
        return start_with(workers, nullptr, rundir, options);
    }
    exec start(const pool &workers, context &values, std::string_view rundir, std::string_view options = {}) const
    {
        return start_with(workers, values.handle(), rundir, options);
    }

    /** Describes how the workflow would run, as JSON text, without running it. */
    std::string plan(const pool &workers, std::string_view rundir = {}, std::string_view options = {}) const
    {
        return plan_with(workers, nullptr, rundir, options);
    }
    std::string plan(const pool &workers, context &values, std::string_view rundir = {},
                     std::string_view options = {}) const
    {
        return plan_with(workers, values.handle(), rundir, options);
    }

  private:
    std::string plan_with(const pool &workers, fw_context *values, std::string_view rundir,
                          std::string_view options) const
    {
        const detail::c_text path(rundir, "rundir");
        return detail::make_text([&](char **out, fw_error **failure) {
            return fw_workflow_plan(handle(), workers.handle(), values, path.optional(),
                                    detail::optional_start(options), options.size(), out, failure);
        });
    }

    result run_with(const pool &workers, fw_context *values, std::string_view rundir, std::string_view options) const
    {
        const detail::c_text path(rundir, "rundir");
        return result::adopt(detail::make<fw_result>([&](fw_result **out, fw_error **failure) {
            return fw_workflow_run(handle(), workers.handle(), values, path.optional(), detail::optional_start(options),
                                   options.size(), out, failure);
        }));
    }

    exec start_with(const pool &workers, fw_context *values, std::string_view rundir, std::string_view options) const
    {
        const detail::c_text path(rundir, "rundir");
        return exec::adopt(detail::make<fw_exec>([&](fw_exec **out, fw_error **failure) {
            return fw_workflow_start(handle(), workers.handle(), values, path.optional(),
                                     detail::optional_start(options), options.size(), out, failure);
        }));
    }

    workflow(detail::adopted, fw_workflow *owned) noexcept : handle_(owned) {}

    detail::unique<fw_workflow> handle_;
};

} // namespace flowworker

#endif
