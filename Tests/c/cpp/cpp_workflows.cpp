/* Workflows in C++: run and started, with and without values, and their steps. */
#include "check.hpp"

using flowworker::stream;

int main()
{
    const flowworker::workflow workflow(R"({"workflow": {"steps": [
        {"name": "a", "action": {"environment": "", "commands": ["echo $word"]}},
        {"name": "b", "action": {"environment": "", "commands": ["echo 2", "exit 4"]}},
        {"name": "c", "action": {"environment": "", "commands": ["echo 3"]}}]},
        "parameters": [{"name": "word", "dtype": "string", "defaultValue": "one"}]})");
    const flowworker::pool pool;
    const flowworker::result result = workflow.run(pool, check_dir());
    CHECK_EQUAL(result.returncode(), 4);
    CHECK(!result.name());
    CHECK_HAS(result.message().value_or(""), "step \"b\"");
    CHECK_EQUAL(result.command_count(), 0u);
    CHECK_EQUAL(result.step_count(), 2u);
    CHECK_EQUAL(result.step(0).name().value_or(""), "a");
    CHECK_EQUAL(result.step(1).index().value_or(-1), 1);
    CHECK(!result.step(1).instance() && !result.index());
    CHECK_EQUAL(result.step(0).output(stream::out), "one\n");
    CHECK_EQUAL(result.steps()[1].command(1).exit_code().value_or(-1), 4);
    CHECK_EQUAL(result.output(stream::out), "one\n2\n");
    CHECK_HAS(result.view("trace"), "traceEvents");

    flowworker::context values(R"({"word": "two"})");
    CHECK_EQUAL(workflow.run(pool, values, check_dir(), R"({"deadline": 600})").output(stream::out, 0), "two\n");

    std::string steps;
    flowworker::context more(R"({"word": "three"})");
    flowworker::exec exec = workflow.start(pool, more, check_dir(), R"({"events": "lines"})");
    for (const flowworker::event &event : exec.events())
        if (event.kind() == flowworker::event_kind::output && !event.instance())
            steps +=
                std::to_string(event.step().value_or(-1)) + *event.step_name() + ":" + std::string(event.data()) + " ";
    CHECK_EQUAL(steps, "0a:three 1b:2 ");
    flowworker::exec other = workflow.start(pool, check_dir());
    CHECK_EQUAL(other.wait().returncode(), 4);

    CHECK_HAS(workflow.plan(pool), R"("barrier":"step \")");
    CHECK_HAS(workflow.plan(pool, values, check_dir(), R"({"jobs": 3})"), R"("jobs":3)");

    CHECK_THROWS(workflow.run(pool, {}), invalid, "no default volume");
    CHECK_THROWS(workflow.run(pool, check_dir(), R"({"deadlines": 1})"), document, "deadline");
    CHECK_THROWS(flowworker::workflow("{}"), document, "steps");

    json_t *none = nullptr;
    CHECK_THROWS(flowworker::pool::from(none), invalid, "\"config\"");
    return check_done();
}
