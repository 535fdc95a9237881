/* The standard input of a command and its signals in C++: writes and signals of an exec throw as other calls do. */
#include "check.hpp"

#include <csignal>
#include <vector>

#include <poll.h>

using flowworker::seconds;
using flowworker::stream;

static const char host_input[] = R"({"stdin": "host"})";

static flowworker::exec start(const char *command, const char *options = host_input)
{
    flowworker::pool pool;
    const flowworker::step step = check_step(command);
    return pool.get(step).start(step, check_dir(), options);
}

static void bytes_of_all_kinds()
{
    flowworker::exec run = start("cat");
    const std::vector<std::byte> raw{std::byte{0}, std::byte{255}};
    CHECK_EQUAL(run.write("text "), 5u);
    CHECK_EQUAL(run.write(std::string_view("a\0b ", 4), seconds(60)), 4u);
    CHECK_EQUAL(run.write(raw.data(), raw.size()), 2u);
    CHECK_EQUAL(run.write(std::string_view()), 0u);
    run.close_input();
    run.close_input();
    CHECK_THROWS(run.write("more"), ended, "closed");
    const flowworker::result result = run.wait();
    CHECK(result.ok());
    CHECK_EQUAL(result.output(stream::out), std::string("text a\0b \0\377", 11));
    CHECK_THROWS(start("true", "").write("a"), invalid, "stdin");
    CHECK_THROWS(start("true", "").close_input(), invalid, "stdin");
}

/** One loop with poll(2) passes much more than a pipe holds through a command. */
static void loop_with_the_descriptor()
{
    flowworker::exec run = start("cat");
    const std::string input(5000000, 'x');
    std::string output;
    std::string_view rest = input;
    bool is_open = true;
    for (bool is_ended = false; !is_ended;) {
        if (!rest.empty())
            rest.remove_prefix(run.write(rest, seconds(0)));
        if (rest.empty() && is_open) {
            run.close_input();
            is_open = false;
        }
        while (std::optional<flowworker::event> event = run.next_event(seconds(0))) {
            output += event->data();
            is_ended = event->kind() == flowworker::event_kind::step_ended;
        }
        pollfd file{run.fd(), POLLIN, 0};
        if (!is_ended)
            CHECK(poll(&file, 1, -1) == 1);
    }
    CHECK(output == input);
    CHECK(run.wait().ok());
}

static void signals()
{
    flowworker::exec run = start("trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.01; done", "");
    for (const flowworker::event &event : run.events())
        if (event.data() == "ready\n") {
            CHECK_THROWS(run.signal(0), invalid, "signal");
            run.signal(SIGUSR1);
        }
    CHECK_EQUAL(run.wait().output(stream::out), "ready\ngot\n");
    CHECK_EQUAL(run.wait().returncode(), 3);
    CHECK_THROWS(run.signal(SIGUSR1), ended, "");

    flowworker::exec tree = start("sleep 600 & sleep 600", "");
    for (const flowworker::event &event : tree.events())
        if (event.kind() == flowworker::event_kind::command_started)
            tree.signal(SIGKILL, flowworker::signal_target::tree);
    CHECK_EQUAL(tree.wait().command(0).signal().value_or(0), SIGKILL);
}

static void names()
{
    const flowworker::worker worker(
        R"({"name": "w", "type": "subprocess", "options": {"environment_values": {"who": "WHO", "n": "N"}}})");
    CHECK_EQUAL(worker.environment_values(), R"(["who","n"])");
    CHECK_EQUAL(to_string(flowworker::status::unsupported), "unsupported");
}

int main()
{
    bytes_of_all_kinds();
    loop_with_the_descriptor();
    signals();
    names();
    return check_done();
}
