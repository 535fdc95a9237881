/* Steps in C++: documents, workers, values, options, results and errors are those of C. */
#include "check.hpp"

#include <jansson.h>

using flowworker::outcome;
using flowworker::stream;

static void hello()
{
    flowworker::pool pool;
    flowworker::context values(R"({"who": "World"})");
    const flowworker::result result =
        pool.get(check_step("echo Hello $who"))
            .exec(check_step("echo Hello $who; echo oops >&2", "greet"), values, check_dir());
    CHECK(result.ok());
    CHECK_EQUAL(result.returncode(), 0);
    CHECK(result.outcome() == outcome::exited);
    CHECK_EQUAL(result.name().value_or("none"), "greet");
    CHECK(!result.message());
    CHECK_EQUAL(result.output(stream::out), "Hello World\n");
    CHECK_EQUAL(result.output(stream::err), "oops\n");
    CHECK_EQUAL(result.output_count(stream::out), 1u);
    CHECK_EQUAL(result.output(stream::out, 0), "Hello World\n");
    CHECK_EQUAL(result.output(stream::out, 1), "");
    CHECK(!result.output_incomplete(stream::out));
    CHECK(result.duration().count() > 0);
    CHECK(std::chrono::system_clock::now() - result.started() < std::chrono::hours(1));
    CHECK_HAS(result.to_json(), "\"Hello World\\n\"");
    CHECK_HAS(result.view("html"), "<html");
    CHECK_THROWS(result.view("pdf"), unknown, "\"pdf\"");
    CHECK_THROWS(result.view(std::string_view("a\0b", 3)), invalid, "\"format\" contains a NUL");
}

static void commands()
{
    flowworker::pool pool;
    const flowworker::step step(R"({"name": "s", "action": {"environment": "", "commands":
        ["true", "printf 0123456789; printf err >&2", "sleep 600 & exit 3", "never"]}})");
    CHECK_EQUAL(step.name(), "s");
    CHECK_EQUAL(step.type(), "container");
    const flowworker::result result = pool.get(step).exec(step, check_dir(), R"({"output_limit": 4})");
    CHECK(!result.ok());
    CHECK_EQUAL(result.returncode(), 3);
    CHECK_HAS(result.message().value_or(""), "exited with status 3");
    CHECK_EQUAL(result.command_count(), 3u);
    CHECK_EQUAL(result.commands().size(), 3u);
    std::string texts;
    for (const flowworker::command &one : result.commands())
        texts += one.text() + "|";
    CHECK_EQUAL(texts, "true|printf 0123456789; printf err >&2|sleep 600 & exit 3|");
    const flowworker::command first = result.command(0), second = result.command(1), third = result.command(2);
    CHECK_EQUAL(first.output(stream::out), "");
    CHECK_EQUAL(second.output(stream::out), "0189");
    CHECK_EQUAL(second.output_size(stream::out), 10u);
    CHECK_EQUAL(second.output(stream::err), "err");
    CHECK_EQUAL(result.output_cut(stream::out, 0).missing, 6u);
    CHECK_EQUAL(result.output_cut(stream::out, 0).at, 2u);
    CHECK(third.outcome() == outcome::exited);
    CHECK_EQUAL(third.exit_code().value_or(-1), 3);
    CHECK(!third.signal());
    CHECK(third.pid().value_or(0) > 1);
    CHECK(third.started() >= first.started());
    CHECK(third.duration().count() > 0);
    CHECK(second.user_time().has_value() && second.system_time().has_value());
    CHECK(second.peak_memory().value_or(0) > 0);
    CHECK_EQUAL(third.survivor_count(), 1u);
    CHECK(third.is_ended());
    const flowworker::command none = result.command(3);
    CHECK_EQUAL(none.text(), "");
    CHECK(!none.exit_code() && !none.pid() && !none.user_time() && !none.peak_memory());
    CHECK_EQUAL(none.output(stream::out), "");

    const flowworker::result killed = pool.get(step).exec(check_step("kill -9 $$$$"), check_dir());
    CHECK_EQUAL(killed.command(0).signal().value_or(0), 9);
    CHECK(!killed.command(0).exit_code());
    CHECK_EQUAL(to_string(killed.outcome()), "signaled");
}

static void ranges()
{
    flowworker::pool pool;
    const flowworker::step step(R"({"name": "s", "action": {"environment": "", "commands": ["echo a", "echo b"]}})");
    const flowworker::result result = pool.get(step).exec(step, check_dir());
    std::string all;
    for (std::string_view piece : result.outputs(stream::out))
        all += piece;
    CHECK_EQUAL(all, "a\nb\n");
    const auto outputs = result.outputs(stream::out);
    CHECK_EQUAL(outputs[1], "b\n");
    CHECK_EQUAL(std::distance(outputs.begin(), outputs.end()), 2);
    CHECK(result.outputs(stream::err).empty());
    CHECK(result.outputs(stream::err).begin() == result.outputs(stream::err).end());
}

static void workers()
{
    const std::string spec = flowworker::worker_spec(
        "subprocess", {"w", R"({"who": "You"})", R"({"E": "env"})", "store", R"({"grace": 1})"});
    const flowworker::worker worker(spec);
    CHECK_EQUAL(worker.name(), "w");
    CHECK_EQUAL(worker.type(), "subprocess");
    CHECK_EQUAL(worker.volume(), "store");
    CHECK_EQUAL(worker.secrets(), "[]");
    CHECK_EQUAL(worker.exec(check_step("echo $who $$E"), check_dir()).output(stream::out), "You env\n");
    CHECK_HAS(worker.plan(check_step("echo $who"), check_dir()), "echo You");
    flowworker::context values;
    CHECK_HAS(worker.plan(check_step("echo $who"), values, check_dir()), "echo You");
    CHECK_HAS(flowworker::worker_spec("code"), "\"code\"");
    CHECK_THROWS(flowworker::worker_spec("nope"), document, "\"nope\"");

    const flowworker::pool pool(R"({"workers": [{"name": "b", "type": "code"}, {"name": "a", "type": "subprocess"}],
                                    "managers": {"s": "a"}})");
    CHECK_EQUAL(pool.worker_count(), 2u);
    std::string names;
    for (const std::string &name : pool.worker_names())
        names += name + " " + pool.worker(name).type() + "|";
    CHECK_EQUAL(names, "b code|a subprocess|");
    CHECK(pool.worker("a").handle() == pool.get(check_step("true")).handle());
    CHECK(pool.default_worker(check_step("true")).handle() != pool.worker("a").handle());
    json_t *config = json_pack("[{s:s, s:s}]", "name", "j", "type", "code");
    CHECK_EQUAL(flowworker::pool::from(config).worker("j").type(), "code");
    json_decref(config);
    CHECK_THROWS(pool.worker("c"), unknown, "no worker \"c\"");
}

static void values()
{
    flowworker::context values;
    values.set("number", "3");
    values.set_text("text", "it's \"quoted\"\n");
    CHECK_EQUAL(values.get("number"), "3");
    CHECK_EQUAL(values.get("text"), R"("it's \"quoted\"\n")");
    CHECK_EQUAL(values.to_json(), R"({"number":3,"text":"it's \"quoted\"\n"})");
    CHECK_THROWS(values.get("none"), unknown, "none");
    CHECK_THROWS(values.set("a", ""), syntax, "empty");
    CHECK_THROWS(values.set(std::string_view("a\0b", 3), "1"), invalid, "NUL");
    /* A view need not end with a NUL. */
    const std::string document = R"({"a": 1}{"b": 2})";
    CHECK_EQUAL(flowworker::context(std::string_view(document).substr(0, 8)).to_json(), R"({"a":1})");
    CHECK_EQUAL(flowworker::quote_shell("it's"), R"('it'\''s')");
    CHECK_EQUAL(flowworker::quote_shell({}), "''");
    CHECK_EQUAL(flowworker::quote_json({}), R"("")");
    CHECK_THROWS(flowworker::quote_shell(std::string_view("\0", 1)), invalid, "NUL");
    CHECK_THROWS(flowworker::quote_json("\xff"), syntax, "UTF-8");
}

static void errors()
{
    try {
        flowworker::pool pool("{\n  \"worker\": []}");
        CHECK(false);
    } catch (const flowworker::error &thrown) {
        CHECK(thrown.status() == flowworker::status::document);
        CHECK_EQUAL(thrown.path().value_or("none"), "/worker");
        CHECK_EQUAL(thrown.line(), 2);
        CHECK_EQUAL(thrown.column(), 3);
        const flowworker::error copy = thrown;
        CHECK_EQUAL(std::string(copy.what()), thrown.what());
        CHECK_EQUAL(copy.path().value_or("none"), "/worker");
    }
    try {
        flowworker::step step("{");
        CHECK(false);
    } catch (const std::runtime_error &thrown) {
        const auto *error = dynamic_cast<const flowworker::error *>(&thrown);
        CHECK(error != nullptr && error->status() == flowworker::status::syntax && !error->path());
    }
    CHECK_THROWS(flowworker::step({}), syntax, "empty text");
    const flowworker::pool pool;
    const flowworker::worker worker = pool.get(check_step("true"));
    CHECK_THROWS(worker.exec(check_step("$"), check_dir()), bad_template, "placeholder");
    CHECK_THROWS(worker.exec(check_step("true"), check_dir(), R"({"limit": 1})"), document, "limit");
    CHECK_EQUAL(to_string(flowworker::status::bad_template), "template");
    CHECK_EQUAL(to_string(static_cast<flowworker::status>(-99)), "");
}

static void library()
{
    CHECK_EQUAL(flowworker::version(), FW_VERSION);
    CHECK_EQUAL(flowworker::abi_version(), FW_ABI_VERSION);
    CHECK_HAS(flowworker::build_info(), "\"worker_types\"");
}

int main()
{
    hello();
    commands();
    ranges();
    workers();
    values();
    errors();
    library();
    return check_done();
}
