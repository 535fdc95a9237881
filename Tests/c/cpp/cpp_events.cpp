/* Events in C++: a range of all, one at a time with a limit, and a loop over many execs. */
#include "check.hpp"

#include <cmath>
#include <poll.h>
#include <vector>

using flowworker::event_kind;
using flowworker::stream;
using namespace std::chrono_literals;

static std::string shape(flowworker::exec &exec)
{
    std::string kinds;
    for (const flowworker::event &event : exec.events()) {
        if (event.stream() == stream::out)
            CHECK_EQUAL(to_string(*event.stream()), "stdout");
        kinds += to_string(event.kind()) + (event.command() ? std::to_string(*event.command()) : "") + " ";
    }
    return kinds;
}

static void all_events()
{
    flowworker::pool pool;
    flowworker::exec exec = pool.get(check_step("true")).start(check_step("echo a"), check_dir());
    CHECK_EQUAL(shape(exec), "step_started command_started0 output0 command_ended0 step_ended ");
    /* There are no more. */
    CHECK_EQUAL(shape(exec), "");
    CHECK(!exec.next_event());
    CHECK(exec.wait().ok());
}

static void each_event()
{
    flowworker::pool pool;
    flowworker::context values(R"({"word": "a"})");
    flowworker::exec exec =
        pool.get(check_step("true"))
            .start(check_step("echo $word; echo b >&2; read x < /dev/null; exit 1", "named"), values, check_dir(),
                   R"({"events": "lines", "retries": {"max": 1, "delay": 0}})");
    std::vector<flowworker::event> kept;
    for (flowworker::event &event : exec.events())
        kept.push_back(std::move(event));
    std::string out, err;
    std::uint64_t sequence = 0;
    for (const flowworker::event &event : kept) {
        CHECK_EQUAL(event.sequence(), ++sequence);
        CHECK_EQUAL(event.step_name().value_or(""), "named");
        CHECK(!event.step());
        CHECK(event.time() <= std::chrono::system_clock::now());
        CHECK(!event.is_continued());
        CHECK_HAS(event.to_json(), to_string(event.kind()));
        CHECK(event.stream().has_value() == (event.kind() == event_kind::output));
        if (event.stream() == stream::out)
            out += std::string(event.data()) + "/" + std::to_string(event.attempt()) + " ";
        if (event.stream() == stream::err)
            err += event.data();
        if (!event.stream())
            CHECK_EQUAL(event.data(), "");
    }
    CHECK_EQUAL(out, "a/1 a/2 ");
    CHECK_EQUAL(err, "bb");
}

static void limits_of_time()
{
    flowworker::pool pool;
    flowworker::exec exec = pool.get(check_step("true")).start(check_step("sleep 600"), check_dir());
    CHECK(exec.next_event()->kind() == event_kind::step_started);
    CHECK(exec.next_event(-1s)->kind() == event_kind::command_started);
    CHECK(!exec.next_event(0s));
    CHECK(!exec.next_event(5ms));
    CHECK(!exec.wait(0s));
    CHECK(!exec.wait(5ms));
    exec.cancel();
    CHECK(exec.wait(-1s)->outcome() == flowworker::outcome::cancelled);
    CHECK(exec.wait().outcome() == flowworker::outcome::cancelled);
    CHECK_THROWS(exec.wait(std::chrono::duration<double>(std::nan(""))), invalid, "not a number");
}

/** A loop of the host's over many execs, each of which has its own data. */
static void many()
{
    flowworker::pool pool;
    const flowworker::worker worker = pool.get(check_step("true"));
    std::vector<flowworker::exec> execs;
    std::vector<std::string> outputs(8);
    for (std::size_t index = 0; index < outputs.size(); index++) {
        execs.push_back(worker.start(check_step("echo " + std::to_string(index)), check_dir()));
        CHECK(execs.back().data() == nullptr);
        execs.back().set_data(&outputs[index]);
    }
    for (std::size_t open = execs.size(); open > 0;) {
        std::vector<pollfd> items;
        for (flowworker::exec &exec : execs)
            items.push_back({exec.fd(), POLLIN, 0});
        CHECK(poll(items.data(), items.size(), -1) > 0);
        for (std::size_t index = 0; index < execs.size(); index++) {
            if ((items[index].revents & POLLIN) == 0)
                continue;
            while (std::optional<flowworker::event> event = execs[index].next_event(0s)) {
                *static_cast<std::string *>(execs[index].data()) += event->data();
                open -= event->kind() == event_kind::step_ended;
            }
        }
    }
    for (std::size_t index = 0; index < outputs.size(); index++)
        CHECK_EQUAL(outputs[index], std::to_string(index) + "\n");
}

int main()
{
    all_events();
    each_event();
    limits_of_time();
    many();
    return check_done();
}
