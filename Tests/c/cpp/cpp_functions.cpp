/* Functions in C++ are lambdas with a state: what they return is the value, what they throw is a failure, and they are
 * destroyed once, when they can no longer be called. */
#include "check.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

using flowworker::call;
using flowworker::outcome;
using flowworker::stream;

static std::atomic<int> alive;

/** Counts the copies of a function that exist. */
struct counted {
    counted()
    {
        alive++;
    }
    counted(const counted &)
    {
        alive++;
    }
    counted(counted &&) noexcept
    {
        alive++;
    }
    counted &operator=(const counted &) = default;
    ~counted()
    {
        alive--;
    }
};

static flowworker::step step_of(const std::string &function)
{
    return flowworker::step(R"({"name": "s", "action": {"func": )" + flowworker::quote_json(function) +
                            R"(, "arg": "y"}})");
}

static flowworker::result run(const flowworker::pool &pool, flowworker::context &values, const std::string &function)
{
    const flowworker::step step = step_of(function);
    return pool.get(step).exec(step, values, check_dir());
}

static void values()
{
    flowworker::pool pool;
    flowworker::context context(R"({"x": 20, "name": "a"})");
    int factor = 2;
    pool.add_function("multiply", {"x", "name"}, [&factor](call &current) {
        CHECK_EQUAL(current.step(), "s");
        CHECK_HAS(current.action(), "\"multiply\"");
        CHECK_EQUAL(current.rundir(), check_dir());
        CHECK_EQUAL(current.argument("name").value_or("none"), "\"a\"");
        CHECK(!current.argument("none") && !current.is_cancelled() && current.handle() != nullptr);
        current.write(stream::out, "to ");
        current.write(stream::out, "stdout");
        current.write_piece(stream::err, "one");
        current.write_piece(stream::err, "two");
        return std::to_string(factor * std::stoi(*current.argument("x")));
    });
    flowworker::result result = run(pool, context, "multiply");
    CHECK(result.ok());
    CHECK_EQUAL(context.get("y"), "40");
    CHECK_EQUAL(result.output(stream::out), "to stdout");
    CHECK_EQUAL(result.output_count(stream::err), 2u);

    pool.add_function("nothing", {}, [](call &) {});
    CHECK(run(pool, context, "nothing").ok());
    pool.add_function("by hand", {}, [](call &current) { current.return_value("[1]"); });
    CHECK(run(pool, context, "by hand").ok());
    CHECK_EQUAL(context.get("y"), "[1]");
    pool.add_function("report", {}, [](call &current) { current.report(R"({"value": 7})"); });
    CHECK(run(pool, context, "report").ok());
    CHECK_EQUAL(context.get("y"), "7");
    /* A function may keep what can only be moved. */
    pool.add_function("moved", {}, [kept = std::make_unique<std::string>("\"kept\"")](call &) { return *kept; });
    CHECK(run(pool, context, "moved").ok());
    CHECK_EQUAL(context.get("y"), "\"kept\"");
}

static void failures()
{
    flowworker::pool pool;
    flowworker::context context;
    pool.add_function("throws", {}, [](call &) { throw std::runtime_error("boom"); });
    CHECK_HAS(run(pool, context, "throws").message().value_or(""), "std::runtime_error: boom");
    pool.add_function("fails", {}, [](call &current) { current.fail("ValueError", "bad", "the trace"); });
    flowworker::result result = run(pool, context, "fails");
    CHECK_EQUAL(result.returncode(), 1);
    CHECK_HAS(result.message().value_or(""), "ValueError: bad");
    CHECK_EQUAL(result.output(stream::err), "the trace");
    pool.add_function("no json", {}, [](call &) { return "not json"; });
    CHECK_HAS(run(pool, context, "no json").message().value_or(""), "flowworker::error");
    CHECK_THROWS(run(pool, context, "unknown"), unknown, "unknown");
}

static void destroyed_once()
{
    {
        flowworker::pool pool;
        pool.add_function("f", {}, [state = counted()](call &) { (void)state; });
        CHECK_EQUAL(alive.load(), 1);
        pool.add_function("f", {}, [state = counted()](call &) { (void)state; });
        CHECK_EQUAL(alive.load(), 1);
        /* A registration that fails keeps nothing. */
        CHECK_THROWS(pool.add_function("", {}, [state = counted()](call &) { (void)state; }), invalid, "empty");
        CHECK_THROWS(pool.add_function("g", {"\xff"}, [state = counted()](call &) { (void)state; }), syntax, "UTF-8");
        CHECK_EQUAL(alive.load(), 1);
        flowworker::context context;
        context.set_function([state = counted()](call &current) { return flowworker::quote_json(current.step()); });
        CHECK_EQUAL(alive.load(), 2);
        CHECK(run(pool, context, "anything").ok());
        CHECK_EQUAL(context.get("y"), "\"s\"");
    }
    /* The thread of a call may still hold the function for a moment after the step has ended. */
    while (alive > 0)
        usleep(1000);
    flowworker::set_log(flowworker::log_level::info, [state = counted()](auto...) { (void)state; });
    CHECK_EQUAL(alive.load(), 1);
    flowworker::clear_log();
    CHECK_EQUAL(alive.load(), 0);
    CHECK_THROWS(flowworker::set_log(static_cast<flowworker::log_level>(9), [state = counted()](auto...) {}), invalid,
                 "level 9");
    CHECK_EQUAL(alive.load(), 0);
}

static void cancelled()
{
    flowworker::pool pool;
    flowworker::context context;
    std::mutex lock;
    std::condition_variable change;
    bool begun = false, cancelled = false;
    pool.add_function("waits", {}, [&](call &current) {
        current.on_cancel([] { CHECK(false); });
        current.on_cancel([&] {
            std::lock_guard<std::mutex> held(lock);
            cancelled = true;
            change.notify_all();
        });
        std::unique_lock<std::mutex> held(lock);
        begun = true;
        change.notify_all();
        change.wait(held, [&] { return cancelled; });
        CHECK(current.is_cancelled());
    });
    const flowworker::step step = step_of("waits");
    flowworker::exec exec = pool.get(step).start(step, context, check_dir());
    {
        std::unique_lock<std::mutex> held(lock);
        change.wait(held, [&] { return begun; });
    }
    exec.cancel();
    CHECK(exec.wait().outcome() == outcome::cancelled);

    /* A function returns while its callback may be running. */
    pool.add_function("returns", {}, [](call &current) {
        auto state = std::make_shared<std::string>(100, 'x');
        current.on_cancel([state] { state->append("y"); });
    });
    for (int i = 0; i < 50; i++) {
        const flowworker::step other = step_of("returns");
        flowworker::exec racing = pool.get(other).start(other, context, check_dir());
        racing.cancel();
        racing.wait();
    }
}

static void at_once()
{
    flowworker::pool pool;
    std::atomic<int> calls{0};
    pool.add_function("f", {"x"}, [&](call &current) {
        calls++;
        return current.argument("x").value_or("null");
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int k = 0; k < 10; k++) {
                flowworker::context context;
                context.set("x", std::to_string(i));
                CHECK(run(pool, context, "f").ok());
                CHECK_EQUAL(context.get("y"), std::to_string(i));
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    CHECK_EQUAL(calls.load(), 40);
}

static void logs()
{
    std::vector<std::string> lines;
    flowworker::set_log(flowworker::log_level::error, [&](flowworker::log_level level, std::string_view line) {
        lines.push_back(to_string(level) + ": " + std::string(line));
    });
    flowworker::pool pool;
    pool.get(check_step("true")).exec(check_step("exit 2"), check_dir());
    flowworker::clear_log();
    pool.get(check_step("true")).exec(check_step("exit 3"), check_dir());
    CHECK_EQUAL(lines.size(), 1u);
    CHECK_EQUAL(lines.empty() ? "" : lines[0], "error: step \"s\", command 1 of 1 exited with status 2: \"exit 2\"");
}

int main()
{
    values();
    failures();
    destroyed_once();
    cancelled();
    at_once();
    logs();
    return check_done();
}
