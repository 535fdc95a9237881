/* Objects of C++ may be destroyed in any order, moved, and made without a name: what is still in use stays alive. */
#include "check.hpp"

#include <type_traits>
#include <vector>

using flowworker::stream;

template <class Object>
constexpr bool is_move_only =
    std::is_nothrow_move_constructible_v<Object> && std::is_nothrow_move_assignable_v<Object> &&
    !std::is_copy_constructible_v<Object> && !std::is_copy_assignable_v<Object>;
template <class Object>
constexpr bool is_shared = std::is_nothrow_move_constructible_v<Object> && std::is_copy_constructible_v<Object>;

static_assert(is_move_only<flowworker::pool> && is_move_only<flowworker::step> && is_move_only<flowworker::context>);
static_assert(is_move_only<flowworker::workflow> && is_move_only<flowworker::exec> && is_move_only<flowworker::event>);
static_assert(is_shared<flowworker::worker> && is_shared<flowworker::result> && is_shared<flowworker::command>);
static_assert(!std::is_copy_constructible_v<flowworker::call>);
static_assert(std::is_nothrow_copy_constructible_v<flowworker::error>);

/** Two statements of a temporary that would dangle do not compile. */
template <class Exec, class = void> constexpr bool has_events = false;
template <class Exec> constexpr bool has_events<Exec, std::void_t<decltype(std::declval<Exec>().events())>> = true;
static_assert(has_events<flowworker::exec &> && !has_events<flowworker::exec>);

static void workers_outlive_their_pool()
{
    std::vector<flowworker::worker> workers;
    {
        flowworker::pool pool(R"([{"name": "w", "type": "subprocess"}])");
        workers.push_back(pool.worker("w"));
        workers.push_back(pool.default_worker(check_step("true")));
        flowworker::worker copy = workers[0];
        workers.push_back(copy);
    }
    workers.push_back(flowworker::pool().get(check_step("true")));
    for (const flowworker::worker &worker : workers)
        CHECK_EQUAL(worker.exec(check_step("echo a"), check_dir()).output(stream::out), "a\n");
    CHECK_EQUAL(workers[0].name(), "w");
}

static flowworker::result run_workflow()
{
    const flowworker::workflow workflow(R"({"steps": [
        {"name": "a", "action": {"environment": "", "commands": ["echo 1", "echo 2"]}},
        {"name": "b", "action": {"environment": "", "commands": ["echo 3"]}}]})");
    return workflow.run(flowworker::pool(), check_dir());
}

static void parts_outlive_their_result()
{
    const flowworker::result step = run_workflow().step(0);
    CHECK_EQUAL(step.output(stream::out), "1\n2\n");
    const flowworker::command command = run_workflow().step(0).command(1);
    CHECK_EQUAL(command.output(stream::out), "2\n");
    std::string all;
    for (const flowworker::result &each : run_workflow().steps())
        for (std::string_view piece : each.outputs(stream::out))
            all += piece;
    for (std::string_view piece : run_workflow().outputs(stream::out))
        all += piece;
    CHECK_EQUAL(all, "1\n2\n3\n1\n2\n3\n");
    /* Output of a temporary object is a text of its own. */
    const auto text = run_workflow().output(stream::out, 2);
    static_assert(std::is_same_v<decltype(text), const std::string>);
    CHECK_EQUAL(text, "3\n");
    const auto piece = run_workflow().step(0).command(0).output(stream::out);
    static_assert(std::is_same_v<decltype(piece), const std::string>);
    CHECK_EQUAL(piece, "1\n");
    CHECK(run_workflow().step(2).handle() == nullptr);
}

template <class Object> static void move_around(Object object)
{
    Object other(std::move(object));
    CHECK(object.handle() == nullptr && other.handle() != nullptr);
    const auto *before = other.handle();
    Object &same = other;
    other = std::move(same);
    CHECK(other.handle() == before);
    object = std::move(other);
    CHECK(object.handle() == before && other.handle() == nullptr);
    std::swap(object, other);
    CHECK(other.handle() == before && object.handle() == nullptr);
}

static void moves()
{
    flowworker::pool pool;
    flowworker::worker worker = pool.get(check_step("true"));
    flowworker::exec exec = worker.start(check_step("true"), check_dir());
    flowworker::event event = std::move(*exec.next_event());
    move_around(check_step("true"));
    move_around(flowworker::context());
    move_around(flowworker::workflow(R"({"steps": []})"));
    move_around(flowworker::pool());
    move_around(worker);
    move_around(std::move(event));
    move_around(exec.wait());
    move_around(std::move(exec));
}

/** An object that was moved from is empty, and says so. */
static void empty_objects()
{
    flowworker::pool pool;
    flowworker::step step = check_step("true");
    flowworker::worker worker = pool.get(step);
    flowworker::exec exec = worker.start(step, check_dir());
    flowworker::result result = exec.wait();
    const auto keep =
        std::make_tuple(std::move(pool), std::move(step), std::move(worker), std::move(exec), std::move(result));
    CHECK_EQUAL(step.name(), "");
    CHECK_EQUAL(worker.name(), "");
    CHECK_EQUAL(exec.fd(), -1);
    exec.cancel();
    CHECK(exec.data() == nullptr);
    CHECK(!result.ok());
    CHECK(result.outcome() == flowworker::outcome::status_unknown);
    CHECK(result.outputs(stream::out).empty() && result.commands().empty() && result.steps().empty());
    CHECK_EQUAL(pool.worker_count(), 0u);
    CHECK_THROWS(pool.get(std::get<1>(keep)), invalid, "\"pool\"");
    CHECK_THROWS(worker.exec(std::get<1>(keep), check_dir()), invalid, "\"worker\"");
    CHECK_THROWS(exec.wait(), invalid, "\"exec\"");
    CHECK_THROWS(result.to_json(), invalid, "\"result\"");
    auto commands = std::get<4>(keep).commands();
    const auto taken = std::move(commands);
    CHECK_EQUAL(taken.size(), 1u);
    CHECK(commands.empty() && commands.begin() == commands.end());
    CHECK_THROWS(commands[0], invalid, "moved from");
}

/** An exec that is destroyed cancels its step, and what the host gave to C is released once. */
static void destroyed_exec()
{
    flowworker::pool pool;
    const std::string alive = check_dir() + "/alive";
    {
        flowworker::exec exec =
            pool.get(check_step("true"))
                .start(check_step("trap 'rm alive; exit' TERM; touch alive; echo; sleep 600 & wait"), check_dir());
        for (flowworker::event &event : exec.events())
            if (event.kind() == flowworker::event_kind::output)
                break;
        CHECK(std::filesystem::exists(alive));
    }
    wait_until_deserted();
    CHECK(!std::filesystem::exists(alive));
    fw_step *raw = nullptr;
    CHECK(fw_step_create("{\"name\": \"raw\", \"action\": {\"environment\": \"\", \"commands\": []}}",
                         FW_ZERO_TERMINATED, &raw, nullptr) == FW_OK);
    CHECK_EQUAL(flowworker::step::adopt(raw).name(), "raw");
}

int main()
{
    workers_outlive_their_pool();
    parts_outlive_their_result();
    moves();
    empty_objects();
    destroyed_exec();
    return check_done();
}
